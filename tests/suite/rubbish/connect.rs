//! A shipped connector over what a test gives it.

use std::sync::Arc;

use sdk::{
    Channel, Clock, Connector, Context, Files, Http,
    testkit::{self, MemoryTokens},
};

pub(crate) fn connect(
    connector: &dyn Connector,
    settings: &str,
    http: Arc<dyn Http>,
    files: Arc<dyn Files>,
    clock: Arc<dyn Clock>,
) -> Arc<dyn Channel> {
    let (configured, problems) = testkit::configure(connector, settings);
    assert_eq!(problems, []);
    let tokens = Arc::new(MemoryTokens::default());
    configured.unwrap().connect(Context {
        label: "bluefin/shop".to_owned(),
        http,
        files,
        clock,
        tokens,
        seed: 7,
    })
}
