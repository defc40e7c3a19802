//! The program on the board.
//!
//! Two builds of one program: *freestanding* (no std, no libc, static) for boards, and *hosted* on std for
//! development on the bench PC, where nothing but the way into [`lava_agent::run`] differs.
#![cfg_attr(freestanding, no_std, no_main)]

#[cfg(freestanding)]
mod mem;
#[cfg(freestanding)]
mod start;

#[cfg(not(freestanding))]
fn main() -> std::process::ExitCode {
    use std::ffi::{CStr, CString};
    use std::os::unix::ffi::OsStringExt;

    use lava_agent::invocation::{Invocation, MAX_ARGUMENTS};

    let arguments: Vec<CString> =
        std::env::args_os().filter_map(|argument| CString::new(argument.into_vec()).ok()).collect();
    let variables: Vec<CString> = std::env::vars_os()
        .filter_map(|(name, value)| {
            let mut variable = name.into_vec();
            variable.push(b'=');
            variable.extend(value.into_vec());
            CString::new(variable).ok()
        })
        .collect();
    let cut = arguments.len() > MAX_ARGUMENTS;
    let arguments: Vec<&CStr> = arguments.iter().map(CString::as_c_str).take(MAX_ARGUMENTS).collect();
    let variables: Vec<&CStr> = variables.iter().map(CString::as_c_str).collect();
    lava_agent::run(&Invocation { arguments: &arguments, variables: &variables, cut }).into()
}
