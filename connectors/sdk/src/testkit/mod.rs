//! Parts that the fakes of all connectors share: clocks to set, tokens in memory, a transport that fails as asked,
//! a server on loopback over a model of a remote.

mod clocks;
mod faulty;
pub mod memory_files;
mod memory_tokens;
mod served;

pub use clocks::{ManualClock, TokioClock};
pub use faulty::{Fault, Faulty, Rates};
pub use memory_tokens::MemoryTokens;
pub use served::{Served, serve};
