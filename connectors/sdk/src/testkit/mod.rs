//! Parts that the fakes of all connectors share: clocks to set, tokens in memory, a transport that fails as asked,
//! one that spoils answers, one that leads nowhere, a server on loopback over a model of a remote, settings.

mod clocks;
mod configured;
mod exercise;
mod faulty;
pub mod memory_files;
mod memory_tokens;
mod mutated;
mod nowhere;
mod served;

pub use clocks::{ManualClock, TokioClock};
pub use configured::configure;
pub use exercise::exercise;
pub use faulty::{Fault, Faulty, Rates};
pub use memory_tokens::MemoryTokens;
pub use mutated::{Mutated, mutate, spoil};
pub use nowhere::Nowhere;
pub use served::{Served, serve};
