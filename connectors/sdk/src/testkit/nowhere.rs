//! No network.

use bytes::Bytes;

use crate::{Http, TransportError, async_trait};

/// A transport that connects to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nowhere;

#[async_trait]
impl Http for Nowhere {
    async fn send(&self, _: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        Err(TransportError::Connect("there is no network here".to_owned()))
    }
}
