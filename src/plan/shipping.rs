//! Parcels: ship, track, void.
