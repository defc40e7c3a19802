//! The actions of a job, one file each.
