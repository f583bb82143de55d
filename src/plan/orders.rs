//! Ack, hold, release, edit, reimport.
