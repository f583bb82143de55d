//! portald: joins a supplier to the sales channels of its merchants.
//!
//! Three verbs carry everything. *Pull* is the only reader of channels, *reconcile* the only decider, *deliver* the
//! only writer to channels; what the supplier asks for is one more input of reconcile.
//!
//! ```text
//!  channel ──pull──▶ merchant account ──reconcile──▶ supplier orders ◀── commands (API, command line)
//!    ▲               (as last seen)      (pure)         │  ship, split, hold, edit, …
//!    └──deliver── writes owed ◀──────────reconcile──────┘
//! ```
//! The code stands in four layers, from the world inwards. A layer uses those below it.
//!
//! **The edge** turns people and files into calls. [`cli`] has one file a subject: it parses, asks the running daemon
//! over its Unix socket, prints, and ends with an exit code; `run` and `check` are the two verbs that need no daemon.
//! [`api`] is that daemon's HTTP side: JSON under `/v1`, the same verbs as the command line, problem documents where
//! it refuses. [`config`] reads `portald.toml` and the merchants' files into types, or tells *all* their mistakes with
//! file and line; what a reload changes and what the store forbids are pure functions there. [`registry`] lists the
//! connectors that are compiled in. [`http`], [`files`], [`clock`] and [`telemetry`] are the places that touch the
//! world: everything else gets the network, the disk, the time and chance as arguments.
//!
//! **The tasks** decide *when*. [`daemon`] is one loop that owns what is running and what is due: it connects the
//! channels, starts tasks, answers an operator ([`control`]), reloads and drains, and does no work itself.
//! [`scheduler`] drives one cron job for each distinct [`schedule`] of the configuration, which only says that its
//! time has come; [`driver`] knows which streams are due by it, keeps one stream from running twice and merchants from
//! crowding each other out. [`tasks`] are the thin I/O around the core, one activation each: pull, sweep, deliver.
//! [`board`] keeps in memory what each channel is doing, for `status` and the metrics.
//!
//! **The core** decides *what*, and is pure: no I/O, no clock, no chance, no async. [`record`] is one channel order's
//! whole record: what the channel shows, the merchant account, the supplier orders made of it, their parcels, and the
//! writes still owed ([`outbox`]). [`stock`] is what is kept of figures, catalogues and writes of stock. [`policy`] is what
//! a merchant's file says about its orders and its stock. [`plan`] changes a
//! record by four inputs (what the channel shows, a command, a write's result, time passing) and after each brings it
//! to rest. Quantities are conserved: [`record::Record::check`] says how.
//!
//! **The store** keeps it. [`store`] has questions and one write: a commit that is atomic, durable, and goes through
//! only where every version is still the one that was read. Two stores stand behind it: sled, which ships, and one in
//! memory. [`ledger`] is the one path from the layers above to a changed record: read, decide, commit, tell (the log,
//! the agenda). [`agenda`] knows which records want attention and when; it is derived from the records at the start, and
//! so are the units that open orders hold. Those, the supplier's figures and imports are the [`stockroom`]'s.
//!
//! The connectors are crates of their own under `connectors/`. They depend on `sdk`, the contract, and not on this
//! crate.

pub mod agenda;
pub mod api;
pub mod board;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod daemon;
pub mod driver;
pub mod files;
pub mod http;
pub mod ledger;
pub mod outbox;
pub mod plan;
pub mod policy;
pub mod record;
pub mod registry;
pub mod schedule;
pub mod scheduler;
pub mod stock;
pub mod stockroom;
pub mod store;
pub mod tasks;
pub mod telemetry;
