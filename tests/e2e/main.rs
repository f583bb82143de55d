//! The real binary against models of shops on real sockets: orders change while they are read, one answer
//! in ten is lost after the shop acted, and in one of the two runs the daemon is killed ten times. At the end every
//! parcel is on the channel exactly once.

mod bigcommerce;
mod cancellations;
mod crash;
mod daemon;
mod journey;
mod operation;
mod rubbish;
mod scene;
mod shops;
mod stock;
