//! Parts that the fakes of all connectors share.
