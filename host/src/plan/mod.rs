//! What will be done: job and bench bound together into typed steps per node. Pure.
