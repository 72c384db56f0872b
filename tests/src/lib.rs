//! What every workspace test needs: a server child process, deadlines, and seeded bytes.
//! Never speaks the protocol on behalf of a test and never knows the server's insides.
//!
//! The server under test is the one of `NATTERJACK_SERVER`, else `debug/natterjack-server` of the target
//! folder. Any binary with the flags of nats-server will do, which is how the tests themselves are tested.

mod archive;
mod binary;
mod jetstream;
mod raw;
mod server;
mod stream;
mod wait;

pub use archive::{Snapshot, restore, snapshot};
pub use binary::{Finished, finish, is_original, server_binary, version_lines};
pub use jetstream::{
    Refusal, api, collect, fill, memory_and_file, nothing_waits, one, refusal_of, sequences, take,
};
pub use raw::{Noise, RawConnection, still_served};
pub use server::{Options, Server};
pub use stream::{consumer, durable, nine, on_both, waits};
pub use wait::{eventually, run, run_within, within};

/// What a test returns: any error fails it, with its text.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
