//! The cases that the design settles by name.
