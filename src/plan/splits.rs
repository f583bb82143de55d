//! Split, merge, unmerge.
