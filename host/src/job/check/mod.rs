//! From values to the typed model, one topic a file. Every problem is noted and the check goes on, so that a file's
//! problems are told all at once.

mod artifact;
mod block;
mod boot;
mod deploy;
mod order;
#[cfg(test)]
mod problem_tests;
mod protocol;
mod role;
#[cfg(test)]
mod role_problem_tests;
mod test_block;
mod testdef;
#[cfg(test)]
mod tests;
mod timeout;
mod top_level;
