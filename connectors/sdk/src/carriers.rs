//! The one table of carriers: canonical name, each channel's spelling, tracking link.
//!
//! A link is only there where the number alone leads to the parcel (`PostNL` wants a postcode too). A spelling is
//! only there where the channel's own list has it: for the rest a channel is given our name and the link, if any.

/// One carrier.
#[derive(Clone, Copy, Debug)]
pub struct Carrier {
    /// Our name, shown and stored.
    pub name: &'static str,
    /// Other ways suppliers write it, compared without case, blanks and punctuation.
    pub aliases: &'static [&'static str],
    /// Shopify's spelling, to the letter.
    /// (<https://shopify.dev/docs/api/admin-graphql/latest/objects/FulfillmentTrackingInfo>)
    pub shopify: Option<&'static str>,
    /// BigCommerce's `shipping_provider`, to the letter.
    /// (<https://developer.bigcommerce.com/docs/rest-management/orders/order-shipments>)
    pub bigcommerce: Option<&'static str>,
    /// Tracking link with `{}` for the number.
    pub url: Option<&'static str>,
}

impl Carrier {
    /// The page that shows this parcel; blanks in the number are left out, the rest is percent-encoded. `None`
    /// where the carrier has no page for a number alone, or the number is blank.
    pub fn tracking_url(&self, number: &str) -> Option<String> {
        let mut encoded = String::new();
        for byte in number.split_whitespace().flat_map(str::bytes) {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                encoded.push(char::from(byte));
            } else {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        }
        if encoded.is_empty() { None } else { Some(self.url?.replace("{}", &encoded)) }
    }
}

const fn carrier(
    name: &'static str,
    aliases: &'static [&'static str],
    shopify: Option<&'static str>,
    url: Option<&'static str>,
) -> Carrier {
    Carrier { name, aliases, shopify, bigcommerce: None, url }
}

impl Carrier {
    const fn bigcommerce(self, spelling: &'static str) -> Self {
        Self { bigcommerce: Some(spelling), ..self }
    }
}

const DHL_WORLD: &str = "https://www.dhl.com/global-en/home/tracking.html?tracking-id={}&submit=1";
const LA_POSTE: &str = "https://www.laposte.fr/outils/suivre-vos-envois?code={}";

/// All carriers. `DHL` alone is ambiguous on paper; suppliers who write it mean the express service.
#[rustfmt::skip]
pub const CARRIERS: &[Carrier] = &[
    carrier("UPS", &["United Parcel Service", "UPS Ground", "UPS Worldwide"], Some("UPS"),
        Some("https://www.ups.com/track?tracknum={}")).bigcommerce("ups"),
    carrier("USPS", &["United States Postal Service", "US Postal Service", "US Mail", "USPS Priority Mail", "USPS Ground Advantage"], Some("USPS"),
        Some("https://tools.usps.com/go/TrackConfirmAction?tLabels={}")).bigcommerce("usps"),
    carrier("FedEx", &["Federal Express", "FedEx Ground", "FedEx Home Delivery", "FedEx Express"], Some("FedEx"),
        Some("https://www.fedex.com/fedextrack/?trknbr={}")).bigcommerce("fedex"),
    carrier("DHL Express", &["DHL", "DHL Worldwide", "DHL International"], Some("DHL Express"), Some(DHL_WORLD)),
    carrier("DHL eCommerce", &["DHL Global Mail", "DHL eCommerce Solutions", "DHL eCommerce US"], Some("DHL eCommerce"), Some(DHL_WORLD)),
    carrier("DHL eCommerce Asia", &["DHL eCommerce APAC"], Some("DHL eCommerce Asia"), Some(DHL_WORLD)),
    carrier("DHL Germany", &["DHL Paket", "DHL DE", "DHL Deutschland"], Some("DHL"),
        Some("https://www.dhl.de/de/privatkunden/pakete-empfangen/verfolgen.html?piececode={}")),
    carrier("Deutsche Post", &["Deutsche Post Brief"], Some("Deutsche Post"), None),
    carrier("Canada Post", &["Postes Canada", "CanadaPost"], Some("Canada Post"),
        Some("https://www.canadapost-postescanada.ca/track-reperage/en#/search?searchFor={}")).bigcommerce("canadapost"),
    carrier("Purolator", &["Purolator Courier"], Some("Purolator"),
        Some("https://www.purolator.com/en/shipping/tracker?pin={}")),
    carrier("Royal Mail", &["RoyalMail", "Royal Mail Tracked 24", "Royal Mail Tracked 48"], Some("Royal Mail"),
        Some("https://www.royalmail.com/track-your-item#/tracking-results/{}")).bigcommerce("royalmail"),
    carrier("Parcelforce", &["Parcelforce Worldwide"], Some("Parcelforce"),
        Some("https://www.parcelforce.com/track-trace?trackNumber={}")),
    carrier("Evri", &["Hermes UK", "myHermes", "myHermes UK"], Some("Evri"),
        Some("https://www.evri.com/track/parcel/{}")),
    carrier("Yodel", &[], Some("Yodel"), None),
    carrier("Hermes", &["Hermes Germany", "Hermes DE", "myHermes DE"], Some("Hermes"), None),
    carrier("DPD", &["DPD Group", "Dynamic Parcel Distribution"], Some("DPD"), None),
    carrier("DPD UK", &["DPD GB"], Some("DPD UK"), Some("https://track.dpd.co.uk/search?reference={}")),
    carrier("DPD Germany", &["DPD DE", "DPD Deutschland"], Some("DPD"),
        Some("https://tracking.dpd.de/status/en_US/parcel/{}")),
    carrier("GLS", &["General Logistics Systems", "GLS EU"], Some("GLS"),
        Some("https://gls-group.eu/EU/en/parcel-tracking?match={}")),
    carrier("PostNL", &["Post NL", "TNT Post"], Some("PostNL"), None),
    carrier("bpost", &["Belgian Post"], Some("BPost"),
        Some("https://track.bpost.cloud/btr/web/#/search?itemCode={}&lang=en")),
    carrier("La Poste", &["La Poste Colissimo", "Lettre Suivie"], Some("La Poste Colissimo"), Some(LA_POSTE)),
    carrier("Colissimo", &[], Some("Colissimo"), Some(LA_POSTE)),
    carrier("Chronopost", &["Chronopost France"], Some("Chronopost"),
        Some("https://www.chronopost.fr/tracking-no-cms/suivi-page?listeNumerosLT={}")),
    carrier("Mondial Relay", &[], Some("Mondial Relay"), None),
    carrier("Correos", &["Correos Spain", "Correos España", "Correos de España"], Some("Correos"),
        Some("https://www.correos.es/es/en/tools/tracker/items/details?tracking-number={}")),
    carrier("SEUR", &[], Some("SEUR"), None),
    carrier("Poste Italiane", &["Posteitaliane", "Italian Post"], Some("Poste Italiane"),
        Some("https://www.poste.it/cerca/index.html#/risultati-spedizioni/{}")),
    carrier("Swiss Post", &["Die Schweizerische Post", "La Poste Suisse", "Post CH"], Some("Swiss Post"),
        Some("https://service.post.ch/ekp-web/ui/entry/search/{}")),
    carrier("Austrian Post", &["Österreichische Post", "Post AT"], Some("Österreichische Post"), None),
    carrier("An Post", &["Irish Post"], Some("An Post"), None),
    carrier("PostNord Sweden", &["PostNord SE", "PostNord"], Some("PostNord SE"), None),
    carrier("PostNord Denmark", &["PostNord DK"], Some("PostNord DK"), None),
    carrier("PostNord Norway", &["PostNord NO"], Some("PostNord NO"), None),
    carrier("InPost", &["InPost Paczkomaty"], Some("Inpost"),
        Some("https://inpost.pl/sledzenie-przesylek?number={}")),
    carrier("TNT", &["TNT Express"], Some("TNT"), None),
    carrier("Australia Post", &["AusPost", "eParcel", "AU Post"], Some("Australia Post"),
        Some("https://auspost.com.au/mypost/track/details/{}")).bigcommerce("auspost"),
    carrier("StarTrack", &["Star Track Express"], Some("StarTrack"), None),
    carrier("Sendle", &[], Some("Sendle"), Some("https://track.sendle.com/tracking?ref={}")),
    carrier("New Zealand Post", &["NZ Post"], Some("New Zealand Post"),
        Some("https://www.nzpost.co.nz/tools/tracking?trackid={}")),
    carrier("Japan Post", &["Yu-Pack", "Nippon Yubin", "日本郵便", "Japan Post (EN)"], Some("Japan Post (EN)"),
        Some("https://trackings.post.japanpost.jp/services/srv/search/direct?reqCodeNo1={}&locale=en")),
    carrier("Yamato", &["Yamato Transport", "Kuroneko Yamato", "TA-Q-BIN", "ヤマト運輸", "Yamato (EN)"], Some("Yamato (EN)"),
        Some("https://jizen.kuronekoyamato.co.jp/jizen/servlet/crjz.b.NQ0010?id={}")),
    carrier("Sagawa", &["Sagawa Express", "佐川急便", "Sagawa (EN)"], Some("Sagawa (EN)"),
        Some("https://k2k.sagawa-exp.co.jp/p/web/okurijosearch.do?okurijoNo={}")),
    carrier("SF Express", &["Shunfeng", "S.F. Express", "顺丰速运"], Some("SF Express"), None),
    carrier("China Post", &["China EMS", "ePacket", "China Post EMS"], Some("China Post"), None),
    carrier("YunExpress", &["Yun Express", "云途物流"], Some("YunExpress"),
        Some("https://www.yuntrack.com/parcelTracking?id={}")),
    carrier("4PX", &["4PX Express", "4PX Worldwide Express", "递四方"], Some("4PX"),
        Some("https://track.4px.com/#/result/0/{}")),
    carrier("Singapore Post", &["SingPost"], Some("Singapore Post"), None),
    carrier("India Post", &["Speed Post India"], Some("India Post"), None),
    carrier("Blue Dart", &["BlueDart Express"], Some("Bluedart"),
        Some("https://www.bluedart.com/trackdartresultthirdparty?trackFor=0&trackNo={}")),
    carrier("Delhivery", &[], Some("Delhivery"), Some("https://www.delhivery.com/track/package/{}")),
    carrier("DTDC", &["DTDC Express"], Some("DTDC"), None),
    carrier("Aramex", &["Aramex International"], None,
        Some("https://www.aramex.com/us/en/track/results?ShipmentNumber={}")),
    carrier("OnTrac", &[], Some("OnTrac"), Some("https://www.ontrac.com/tracking/?number={}")),
    carrier("LaserShip", &[], Some("Lasership"), Some("https://www.lasership.com/track/{}")),
    carrier("Amazon Logistics", &["Amazon", "AMZL", "AMZL US", "Amazon Shipping", "Amazon Logistics US"], Some("Amazon"),
        Some("https://track.amazon.com/tracking/{}")),
    carrier("Amazon Logistics UK", &["AMZL UK"], Some("Amazon Logistics UK"), None),
    carrier("UPS Mail Innovations", &["UPS MI", "Mail Innovations"], Some("UPS"),
        Some("https://www.ups.com/track?tracknum={}")).bigcommerce("ups"),
    carrier("Asendia USA", &["Asendia"], Some("Asendia USA"), None),
    carrier("Pitney Bowes", &["Newgistics"], Some("Pitney Bowes"), None),
    carrier("Estes", &["Estes Express Lines"], Some("Estes"), None),
    carrier("Old Dominion", &["Old Dominion Freight Line", "ODFL"], Some("Old Dominion"), None),
    carrier("R+L Carriers", &["RL Carriers"], Some("R+L Carriers"), None),
    carrier("XPO Logistics", &["XPO"], Some("XPO Logistics"), None),
];

/// The carrier that a supplier's word means, if the table has it. Case, blanks and punctuation do not matter.
pub fn lookup(word: &str) -> Option<&'static Carrier> {
    let word = folded(word);
    CARRIERS.iter().find(|carrier| {
        folded(carrier.name) == word || carrier.aliases.iter().any(|alias| folded(alias) == word)
    })
}

fn folded(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn no_word_means_two_carriers() {
        let mut claimed = BTreeMap::new();
        for carrier in CARRIERS {
            // One carrier may write itself twice (`R+L`, `RL`); two carriers may not share a word.
            let words: BTreeSet<String> =
                [carrier.name].iter().chain(carrier.aliases).map(|word| folded(word)).collect();
            for word in words {
                assert!(!word.is_empty(), "{}", carrier.name);
                if let Some(other) = claimed.insert(word.clone(), carrier.name) {
                    panic!("`{word}` means {other} and {}", carrier.name);
                }
            }
        }
    }

    #[test]
    fn a_carrier_is_found_however_it_is_written() {
        for (word, name) in [
            ("ups", "UPS"),
            (" Fed-Ex ", "FedEx"),
            ("united states postal service", "USPS"),
            ("D.P.D. (UK)", "DPD UK"),
            ("r l carriers", "R+L Carriers"),
            ("佐川急便", "Sagawa"),
        ] {
            assert_eq!(lookup(word).map(|carrier| carrier.name), Some(name), "{word}");
        }
        for unknown in ["", "--", "Pigeon", "UP"] {
            assert!(lookup(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn a_link_holds_the_number_encoded() {
        let ups = lookup("UPS").unwrap();
        assert_eq!(
            ups.tracking_url(" 1Z 99/9&a=é\n").as_deref(),
            Some("https://www.ups.com/track?tracknum=1Z99%2F9%26a%3D%C3%A9")
        );
        assert_eq!(ups.tracking_url("  "), None);
        assert_eq!(lookup("PostNL").unwrap().tracking_url("3S1"), None);
        for url in CARRIERS.iter().filter_map(|carrier| carrier.url) {
            assert!(url.starts_with("https://") && url.matches("{}").count() == 1, "{url}");
        }
    }

    #[test]
    fn bigcommerces_spellings_are_of_its_list() {
        // https://developer.bigcommerce.com/docs/rest-management/orders/order-shipments#create-order-shipment
        let known = [
            "auspost",
            "canadapost",
            "endicia",
            "usps",
            "fedex",
            "ups",
            "upsready",
            "upsonline",
            "shipperhq",
            "royalmail",
        ];
        for spelling in CARRIERS.iter().filter_map(|carrier| carrier.bigcommerce) {
            assert!(known.contains(&spelling), "{spelling}");
        }
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "a skipped contract test says so")]
    fn shopifys_spellings_are_of_its_list() {
        let Some(contracts) = std::env::var_os("PORTALD_CONTRACTS") else {
            eprintln!("SKIPPED: PORTALD_CONTRACTS is not set");
            return;
        };
        let path = std::path::Path::new(&contracts).join("shopify/admin_2026-10.full.graphql");
        let schema = std::fs::read_to_string(path).unwrap();
        let start = schema.find("### Supported tracking companies").unwrap();
        let list = &schema[start..start + schema[start..].find("\"\"\"").unwrap()];
        let (everywhere, by_country) = list.split_once("specific countries:").unwrap();
        let mut known: BTreeSet<&str> =
            everywhere.lines().filter_map(|l| l.trim().strip_prefix("* ")).collect();
        // Wrapped lines: an entry begins at `* **Country**:` and goes on to the next.
        let joined = by_country.split_whitespace().collect::<Vec<_>>().join(" ");
        for country in joined.split("* **").filter_map(|entry| entry.split_once("**:")) {
            known.extend(country.1.split(',').map(|name| name.trim().trim_end_matches('.')));
        }
        let unknown: Vec<_> = CARRIERS
            .iter()
            .filter_map(|carrier| carrier.shopify)
            .filter(|spelling| !known.contains(spelling))
            .collect();
        assert!(unknown.is_empty(), "not on Shopify's list: {unknown:?}");
    }
}
