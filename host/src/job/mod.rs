//! What was asked: the job file, read and checked. Pure.
