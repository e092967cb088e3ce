//! Words from which names are put together. No name is meant to be that of a real company or
//! person; all domains are on `.example`, which nobody can own.

/// Beginnings of made-up names.
pub(super) const HEADS: &[&str] = &[
    "Alder", "Amber", "Ash", "Birch", "Bramble", "Bright", "Cedar", "Cinder", "Clover", "Copper",
    "Coral", "Crane", "Dawn", "Drift", "Dusk", "Elder", "Ember", "Fennel", "Flint", "Frost",
    "Gale", "Garnet", "Harrow", "Hazel", "Heron", "Indigo", "Ivory", "Juniper", "Kestrel", "Larch",
    "Linden", "Maple", "Marl", "Merlin", "Moss", "Nettle", "North", "Ochre", "Osprey", "Pebble",
    "Pine", "Quartz", "Raven", "Reed", "Rowan", "Sable", "Sage", "Slate", "Sorrel", "Sparrow",
    "Tarn", "Teal", "Thistle", "Umber", "Vesper", "Willow", "Winter", "Wren", "Yarrow", "Zephyr",
];

/// Endings of made-up names.
pub(super) const TAILS: &[&str] = &[
    "bank", "barrow", "beck", "bourne", "brae", "bridge", "combe", "crest", "croft", "dale", "den",
    "fell", "field", "firth", "ford", "garth", "gate", "grove", "haven", "holm", "holt", "hurst",
    "keld", "knoll", "ley", "march", "mere", "moor", "mount", "ness", "pike", "reach", "ridge",
    "rigg", "scar", "shaw", "stead", "strand", "thorpe", "wick",
];

/// What partners do.
pub(super) const TRADES: &[&str] = &[
    "Systems",
    "Consulting",
    "Networks",
    "Software",
    "Digital",
    "Solutions",
    "Cloud",
    "Data",
    "Technologies",
    "Services",
    "Integration",
    "Informatics",
];

/// What customers do.
pub(super) const BRANCHES: &[&str] = &[
    "Logistics",
    "Foods",
    "Insurance",
    "Hotels",
    "Energy",
    "Retail",
    "Clinics",
    "Motors",
    "Chemicals",
    "Textiles",
    "Shipping",
    "Media",
    "Timber",
    "Pharma",
    "Rail",
    "Savings",
];

/// Industries of partners.
pub(super) const INDUSTRIES: &[&str] = &[
    "Manufacturing",
    "Financial services",
    "Public sector",
    "Retail",
    "Health",
    "Logistics",
];

/// First names.
pub(super) const FIRST_NAMES: &[&str] = &[
    "Ada", "Aiko", "Alma", "Anton", "Bea", "Bruno", "Carla", "Chiyo", "Clara", "Damian", "Edda",
    "Elias", "Emi", "Fabian", "Greta", "Hana", "Hugo", "Ida", "Ivo", "Jonas", "Jun", "Kaito",
    "Klara", "Lena", "Leo", "Lina", "Luc", "Mara", "Marius", "Mina", "Nadia", "Nils", "Noor",
    "Oscar", "Paula", "Quentin", "Rena", "Ruben", "Sami", "Sora", "Tessa", "Theo", "Uma", "Vera",
    "Viktor", "Yara", "Yuto", "Zoe",
];

/// Last names, made up like those of the companies.
pub(super) const LAST_NAMES: &[&str] = &[
    "Abendrot",
    "Achterberg",
    "Birkenau",
    "Brookwell",
    "Carrowmore",
    "Dellamont",
    "Eschenfeld",
    "Fairweather",
    "Fjordmann",
    "Grauwald",
    "Hartfield",
    "Hollunder",
    "Ishikari",
    "Juniper",
    "Kirschner",
    "Lambermont",
    "Lindqvist",
    "Marchetti",
    "Mizuhara",
    "Nordbach",
    "Oakenshaw",
    "Pellegrin",
    "Quillfeather",
    "Rosenhag",
    "Sandoval",
    "Steinbrueck",
    "Takamori",
    "Underhill",
    "Vanterpool",
    "Wolkenstein",
    "Yamashiro",
    "Zimmerwald",
];

/// Product lines of the vendor.
pub(super) const PRODUCTS: &[&str] = &["Core", "Analytics", "Security", "Automation", "Edge"];

/// Titles of campaigns.
pub(super) const CAMPAIGNS: &[&str] = &[
    "Webinar series",
    "Customer breakfast",
    "Trade fair",
    "Joint mailing",
    "Road show",
];

/// Titles of integrations.
pub(super) const INTEGRATIONS: &[&str] = &[
    "Single sign-on",
    "Data export",
    "Ticket bridge",
    "Warehouse connector",
    "Alert relay",
];

/// Why deals are lost.
pub(super) const LOSSES: &[&str] = &[
    "Budget was withdrawn",
    "Another vendor was chosen",
    "Project was postponed",
];

/// People of the vendor who look after partners.
pub(super) const MANAGERS: &[&str] = &[
    "Lena Hartfield",
    "Oscar Brookwell",
    "Mina Takamori",
    "Theo Grauwald",
    "Noor Pellegrin",
];

/// A country with its region, its languages and the currency of its orders.
pub(super) struct Country {
    /// Name.
    pub(super) name: &'static str,
    /// The vendor's region.
    pub(super) region: &'static str,
    /// Main language.
    pub(super) language: &'static str,
    /// Currency.
    pub(super) currency: &'static str,
}

const fn country(
    name: &'static str,
    region: &'static str,
    language: &'static str,
    currency: &'static str,
) -> Country {
    Country {
        name,
        region,
        language,
        currency,
    }
}

/// Countries, the more frequent ones more than once.
pub(super) const COUNTRIES: &[Country] = &[
    country("United States", "Americas", "English", "USD"),
    country("United States", "Americas", "English", "USD"),
    country("United States", "Americas", "English", "USD"),
    country("Germany", "DACH", "German", "EUR"),
    country("Germany", "DACH", "German", "EUR"),
    country("Austria", "DACH", "German", "EUR"),
    country("Switzerland", "DACH", "German", "CHF"),
    country("France", "Southern Europe", "French", "EUR"),
    country("Spain", "Southern Europe", "Spanish", "EUR"),
    country("United Kingdom", "UK and Ireland", "English", "GBP"),
    country("United Kingdom", "UK and Ireland", "English", "GBP"),
    country("Japan", "Japan", "Japanese", "JPY"),
];
