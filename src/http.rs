//! The one HTTP transport: reqwest behind the connectors' [`sdk::Http`].
