//! The server's binary: the command line, and what the process answers with.

use std::process::ExitCode;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long memory that is free stays the process's own, milliseconds, unless `MIMALLOC_PURGE_DELAY` says otherwise. What
/// comes in bursts takes it again within that time; with the allocator's own ten, the system has cleared it each time.
#[cfg(feature = "mimalloc")]
const PURGE_DELAY_MS: std::ffi::c_long = 500;
/// The allocator's number for that option; its header has no name for it in Rust.
#[cfg(feature = "mimalloc")]
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

#[cfg(feature = "mimalloc")]
#[expect(unsafe_code, reason = "the allocator takes options by a C function only")]
fn keep_free_memory() {
    // SAFETY: it stores a number under an index that the allocator knows, and there is no other thread yet.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, PURGE_DELAY_MS) };
}

fn main() -> ExitCode {
    #[cfg(feature = "mimalloc")]
    keep_free_memory();
    let args: Vec<String> = std::env::args().collect();
    natterjack_server::main(&args)
}
