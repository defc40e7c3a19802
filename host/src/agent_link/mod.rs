//! The runner's end of the link to an agent.
