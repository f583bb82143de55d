//! Parts that the fakes of all connectors share: clocks to set, tokens in memory, a transport that fails as asked,
//! one that spoils answers, a server on loopback over a model of a remote.

mod clocks;
mod exercise;
mod faulty;
pub mod memory_files;
mod memory_tokens;
mod mutated;
mod served;

pub use clocks::{ManualClock, TokioClock};
pub use exercise::exercise;
pub use faulty::{Fault, Faulty, Rates};
pub use memory_tokens::MemoryTokens;
pub use mutated::{Mutated, mutate, spoil};
pub use served::{Served, serve};
