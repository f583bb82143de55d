//! Genuine answers with something wrong in them: nothing panics, nothing is believed that cannot be, and nothing of it
//! is left behind.

use std::sync::Arc;

use proptest::prelude::*;
use sdk::{
    Clock, LineQuantity, Pulled, Rng,
    testkit::{MemoryTokens, Mutated, TokioClock, exercise},
};
use shopify::fake::{FakeShop, NewLine, NewOrder};

use crate::shop::{PLACED, connect, order, start};

/// Orders in several states, two products, and a token to renew.
fn shop(clock: &Arc<dyn Clock>) -> Arc<FakeShop> {
    let shop = FakeShop::new(Arc::clone(clock));
    shop.add_product("ACME-1", true, 5);
    shop.add_product("ACME-2", false, 0);
    let two = || NewOrder::new(vec![NewLine::new("ACME-1", 2), NewLine::new("THEIRS", 1)]);
    shop.place(two());
    let held = shop.place(two());
    shop.hold(&held, "INCORRECT_ADDRESS");
    let shipped = shop.place(two().note("to the back door"));
    let line = shop.order(&shipped).unwrap().lines[0].id;
    shop.fulfil(&shipped, &[LineQuantity { line: line.to_string().as_str().into(), quantity: 1 }]).unwrap();
    let cancelled = shop.place(two());
    shop.cancel_order(&cancelled, "CUSTOMER");
    shop
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn spoilt_answers_do_no_harm(seed in any::<u64>(), one_in in 1..4_u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let clock: Arc<dyn Clock> = Arc::new(TokioClock::new(start()));
            let shop = shop(&clock);
            let ids: Vec<_> = shop.orders().iter().map(shopify::fake::FakeOrder::remote_id).collect();
            let spoilt = Arc::new(Mutated::new(shop.clone(), Rng::from_seed(seed), one_in));
            let channel = connect(PLACED, spoilt.clone(), Arc::clone(&clock), Arc::new(MemoryTokens::default()));
            for page in exercise(&*channel, &ids, clock.now()).await {
                assert!(page.covers.is_none_or(|covers| covers <= clock.now()), "the cursor would pass the present");
            }

            spoilt.heal();
            let clean = connect(PLACED, shop.clone(), Arc::clone(&clock), Arc::new(MemoryTokens::default()));
            for id in &ids {
                // What was said to be too much is over by then.
                tokio::time::advance(std::time::Duration::from_secs(3600)).await;
                let told: Pulled = channel.order(id).await.unwrap();
                assert_eq!(order(told), order(clean.order(id).await.unwrap()));
            }
        });
    }
}
