//! The faults. Each is one that a person could make, in the place where it would cost most.

/// A fault: one piece of text, which stands once in its file, becomes another.
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) file: &'static str,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    /// Asked one after the other, until one fails.
    pub(super) by: &'static [By],
}

/// Tests that may notice it.
pub(super) enum By {
    Simulation,
    /// The root package's suite, with this filter.
    Suite(&'static str),
    /// A connector's suite.
    Connector(&'static str),
}

impl By {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Simulation => "simulation",
            Self::Suite(_) => "suite",
            Self::Connector(name) => name,
        }
    }

    pub(super) fn arguments(&self) -> Vec<&'static str> {
        match self {
            Self::Simulation => vec!["--test", "simulation", "seeds"],
            Self::Suite(filter) => vec!["--test", "suite", filter],
            Self::Connector(name) => vec!["-p", name],
        }
    }
}

use By::{Connector, Simulation, Suite};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "a repeated command is done again",
        file: "src/plan/command.rs",
        from: "if let Some(done) = key.and_then(|key| record.commands.get(key)) {",
        to: "if let Some(done) = key.and_then(|key| record.commands.get(key)).filter(|_| false) {",
        by: &[Simulation],
    },
    Fault {
        name: "two operators overwrite each other (no compare-and-set in the store)",
        file: "src/store/group.rs",
        from: "if stored != guarded.expected {",
        to: "if stored > guarded.expected + 1_000_000 {",
        by: &[Simulation, Suite("store::")],
    },
    Fault {
        name: "the cursor moves to now, whatever was read",
        file: "src/tasks/pull.rs",
        from: "connection.ledge.cursor().max(covers.map(|covers| covers.min(ahead)))",
        to: "connection.ledge.cursor().max(covers.map(|_| ahead))",
        by: &[Simulation, Suite("daemon::")],
    },
    Fault {
        name: "the cursor is stored before the page",
        file: "src/tasks/pull.rs",
        from: "    let outcome = shared.ledger.absorb_page(merchant, channel, orders, asked, Some(state.clone())).await?;",
        to: "    shared.ledger.absorb_page(merchant, channel, Vec::new(), asked, Some(state.clone())).await?;\n    connection.ledge.committed(state.clone());\n    let outcome = shared.ledger.absorb_page(merchant, channel, orders, asked, None).await?;\n    state = connection.ledge.state();\n    state.version -= 1;",
        by: &[Suite("daemon::"), Simulation],
    },
    Fault {
        name: "no look before a write of unknown outcome is repeated",
        file: "src/plan/delivery.rs",
        from: "&& (write.attempts == 0 || write.state.is_uncertain())",
        to: "&& write.attempts == 0",
        by: &[Simulation],
    },
    Fault {
        name: "a write without an answer counts as not done",
        file: "connectors/sdk/src/client/layers.rs",
        from: "if self.is_write() { ErrorKind::Indeterminate } else { read }",
        to: "read",
        by: &[Simulation],
    },
    Fault {
        name: "whatever the channel shows is taken for ours",
        file: "src/plan/delivery.rs",
        from: "        || !alike(&write.tracking, &write.remaining(), remote)\n",
        to: "",
        by: &[Simulation, Suite("plan::")],
    },
    Fault {
        name: "a split is forgotten in the merchant's account",
        file: "src/plan/mirror.rs",
        from: "        record.account.splits.push(AccountSplit { order: n, lines, at: now });\n",
        to: "        let _ = AccountSplit { order: n, lines, at: now };\n",
        by: &[Simulation, Suite("plan::")],
    },
    Fault {
        name: "one unit too few is open (off by one)",
        file: "src/plan/units.rs",
        from: "own.routed.saturating_sub(own.gone())",
        to: "own.routed.saturating_sub(own.gone() + 1)",
        by: &[Simulation, Suite("plan::")],
    },
    Fault {
        name: "every product is ours",
        file: "src/plan/routing.rs",
        from: "_ => self.by_glob(sku.trim()).unwrap_or(Owner::Merchant(NotOurs::NoRule)),",
        to: "_ => Owner::Supplier { rule: Rule::Flag, parts: itself(sku) },",
        by: &[Simulation],
    },
    Fault {
        name: "a cancellation after hand-off is done unasked",
        file: "src/plan/cancellation.rs",
        from: "    let scope = Scope::BeforeHandOff;\n",
        to: "    let scope = Scope::Any;\n",
        by: &[Simulation, Suite("plan::")],
    },
    Fault {
        name: "units that are wanted again stay cancelled",
        file: "src/plan/cancellation.rs",
        from: "let back = line.all_cancelled().saturating_sub(target);",
        to: "let back = line.all_cancelled().saturating_sub(target).min(0);",
        by: &[Simulation, Suite("plan::")],
    },
    Fault {
        name: "the last line before a write of stock lets everything through",
        file: "src/plan/stock/permit.rs",
        from: "if let Some(why) = forbids(&write, policy, listed) {",
        to: "if let Some(why) = forbids(&write, policy, listed).filter(|_| false) {",
        by: &[Simulation, Suite("stock::")],
    },
    Fault {
        name: "stock is published without the orders that came first",
        file: "src/tasks/stock.rs",
        from: "    let pulled = pull::run(shared, connection).await;\n    if !pulled.well {",
        to: "    let pulled = if false { pull::run(shared, connection).await } else { Verdict::well() };\n    if !pulled.well {",
        by: &[Simulation, Suite("stock::")],
    },
    Fault {
        name: "Shopify's compare-and-set is ignored",
        file: "connectors/shopify/src/inventory.rs",
        from: "change_from_quantity: change.from,",
        to: "change_from_quantity: change.from.filter(|_| false),",
        by: &[Simulation, Connector("portald-shopify")],
    },
    Fault {
        name: "a rotated token is used before it is kept",
        file: "connectors/shopify/src/auth.rs",
        from: "        self.tokens.save(SecretString::from(text)).await?;\n",
        to: "        let _ = self.tokens.save(SecretString::from(text)).await;\n",
        by: &[Simulation, Connector("portald-shopify")],
    },
    Fault {
        name: "a BigCommerce shipment of several units is read as one",
        file: "connectors/bigcommerce/src/picture.rs",
        from: "Some(line) => line.quantity = line.quantity.saturating_add(item.quantity.0),\n            None => lines.push(LineQuantity { line: id, quantity: item.quantity.0 }),",
        to: "Some(line) => line.quantity = line.quantity.saturating_add(item.quantity.0),\n            None => lines.push(LineQuantity { line: id, quantity: 1 }),",
        by: &[Simulation, Connector("portald-bigcommerce")],
    },
];
