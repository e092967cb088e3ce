//! Values for fields: good ones, those at the bounds of what is allowed and beyond, and nonsense.

use prost::Message as _;
use prost_reflect::{
    Cardinality, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage,
    Value,
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Deepest message that is made on purpose.
const DEPTH: usize = 6;

/// Texts that mean something somewhere, and texts that have broken something somewhere.
const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "A",
    "a-one",
    "a-other",
    "b-one",
    "a-e",
    "a-won",
    "a-prog",
    "a-shown",
    "main",
    "gold",
    "member",
    "c1",
    "zz-nothing",
    "a/b",
    "../../etc/passwd",
    "%00",
    "\u{0}",
    "a\u{0}b",
    "\n",
    "\t\r\n",
    "\u{202e}abc",
    "\u{feff}",
    "🦀",
    "é",
    "ﬀ",
    "İ",
    "ß",
    "'",
    "\"",
    "';--",
    "$1",
    "\\",
    "%",
    "_",
    "*",
    "NULL",
    "true",
    "2026-01-01",
    "2026-02-30",
    "0001-01-01",
    "1900-01-01",
    "2199-12-31",
    "9999-12-31",
    "10000-01-01",
    "-0001-01-01",
    "2026-1-1",
    "2026-01-01T00:00:00Z",
    "0",
    "-0",
    "1",
    "-1",
    "1.5",
    "1e3",
    "1e400",
    "NaN",
    "inf",
    "0x10",
    "1_000",
    "1,000.00",
    "79228162514264337593543950335",
    "79228162514264337593543950336",
    "0.0000000000000000000000000001",
    "999999999999999",
    "9223372036854775807",
    "18446744073709551616",
    "EUR",
    "USD",
    "eur",
    "XXX",
    "JPY",
    "ada@example.com",
    "@",
    "a@b",
    "example.com",
    "https://example.com/",
    "xn--a.example",
    "..",
    "UTC",
    "Europe/Vienna",
    "Mars/Olympus",
    "\"v1\"",
    "\"v0\"",
    "\"v18446744073709551615\"",
    "name = \"a\"",
    "name : a AND (tier = gold OR NOT status = active)",
    "((((((((((",
    "NOT NOT a",
    "name = ",
    "partner_id = \"a-one\"",
    "create_time > \"2026-01-01T00:00:00Z\"",
    "tier_rank >= 99999999999999999999",
    "at_risk = maybe",
    "name desc, partner_id",
    "name sideways",
    "tier asc",
    ",",
    "name,name",
    "slug: x",
    "a: &a [*a]",
    "{",
    "- - - -",
    "slug: a-x\nname: X\ncurrency: EUR\ntracks: []",
    "? !!binary x",
    "won",
    "deal",
    "review",
    "admin",
    "operator",
    "partner_contact",
    "projector-partners-v1",
    "projector-partners-v99999999999",
    "tier-evaluator-v1",
    "-v1",
    "e30",
    "eyJrIjoiWzFdIiwiYyI6IkFBQUEifQ",
    "00000000-0000-0000-0000-000000000000",
    "a-e/1",
    "a-e/0",
    "a-e/-1",
    "a-e/99999999999999999999",
    "/",
    "tlk_live_a.b_c",
];

/// Makes values from random numbers.
pub struct Values<'a>(&'a mut ChaCha8Rng);

impl<'a> Values<'a> {
    /// From these numbers.
    pub fn new(rng: &'a mut ChaCha8Rng) -> Self {
        Self(rng)
    }

    /// A message with some of its fields.
    pub fn message(&mut self, kind: &MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(kind.clone());
        for field in kind.fields() {
            if self.0.random_bool(0.6) {
                self.set(&mut message, &field, depth);
            }
        }
        message
    }

    /// Makes one to three fields of a message anew, or of a message in it.
    pub fn change(&mut self, message: &mut DynamicMessage) {
        let fields: Vec<FieldDescriptor> = message.descriptor().fields().collect();
        if fields.is_empty() {
            return;
        }
        for _ in 0..self.0.random_range(1..=3) {
            let field = &fields[self.0.random_range(0..fields.len())];
            let inner = message.has_field(field) && self.0.random_bool(0.6);
            match message.get_field_mut(field) {
                Value::Message(within) if inner => self.change(within),
                Value::List(items) if inner => {
                    let within = items.first_mut().and_then(Value::as_message_mut);
                    within.into_iter().for_each(|within| self.change(within));
                }
                _ if self.0.random_bool(0.2) => message.clear_field(field),
                _ => self.set(message, field, 1),
            }
        }
    }

    fn set(&mut self, message: &mut DynamicMessage, field: &FieldDescriptor, depth: usize) {
        let is_message = matches!(field.kind(), Kind::Message(_));
        if is_message && depth >= DEPTH {
            return;
        }
        let value = if field.is_map() {
            self.map(field, depth)
        } else if field.cardinality() == Cardinality::Repeated {
            self.list(field, depth)
        } else {
            self.value(field, depth)
        };
        message.set_field(field, value);
    }

    fn list(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        let length = match self.0.random_range(0..100) {
            0..97 => self.0.random_range(0..4),
            // Beyond every bound on a number of things.
            _ => 1_200,
        };
        let one = self.value(field, depth);
        let small = match &one {
            Value::Message(message) => message.encoded_len() < 500,
            Value::String(text) => text.len() < 500,
            _ => true,
        };
        let length = if small { length } else { length.min(4) };
        let again = self.0.random_bool(0.3) || length > 4;
        let next = |values: &mut Self| match again {
            true => one.clone(),
            false => values.value(field, depth),
        };
        Value::List((0..length).map(|_| next(self)).collect())
    }

    fn map(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        let Kind::Message(entry) = field.kind() else {
            panic!("{} is no map", field.full_name());
        };
        let length = match self.0.random_range(0..100) {
            0..97 => self.0.random_range(0..4),
            _ => 600,
        };
        let entries = (0..length).map(|at| {
            let value = self.value(&entry.map_entry_value_field(), depth);
            let key = if length > 4 {
                format!("k{at}")
            } else {
                self.text("")
            };
            (MapKey::String(key), value)
        });
        Value::Map(entries.collect())
    }

    fn value(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        match field.kind() {
            Kind::Bool => Value::Bool(self.0.random()),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                let edge = [0, 1, -1, 50, 1_001, i32::MIN, i32::MAX, self.0.random()];
                Value::I32(edge[self.0.random_range(0..edge.len())])
            }
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                let edge = [0, 1, -1, 1_767_225_600, i64::MIN, i64::MAX, self.0.random()];
                Value::I64(edge[self.0.random_range(0..edge.len())])
            }
            Kind::Uint32 | Kind::Fixed32 => {
                let edge = [0, 1, 2, 65_535, 65_536, u32::MAX, self.0.random()];
                Value::U32(edge[self.0.random_range(0..edge.len())])
            }
            Kind::Uint64 | Kind::Fixed64 => {
                let edge = [0, 1, i64::MAX as u64, u64::MAX, self.0.random()];
                Value::U64(edge[self.0.random_range(0..edge.len())])
            }
            Kind::Float => Value::F32(f32::from_bits(self.0.random())),
            Kind::Double => Value::F64(f64::from_bits(self.0.random())),
            Kind::Bytes => Value::Bytes(random_bytes(self.0, 100).into()),
            Kind::String => Value::String(self.text(field.name())),
            Kind::Enum(kind) => {
                let known: Vec<i32> = kind.values().map(|value| value.number()).collect();
                Value::EnumNumber(match self.0.random_range(0..10) {
                    0 => [-1, 99, i32::MIN, i32::MAX][self.0.random_range(0..4)],
                    _ => known[self.0.random_range(0..known.len())],
                })
            }
            Kind::Message(kind) => Value::Message(self.message(&kind, depth + 1)),
        }
    }

    fn text(&mut self, field: &str) -> String {
        // Otherwise nearly every request would be refused for these.
        if matches!(
            field,
            "etag" | "request_id" | "consistency_token" | "page_token"
        ) && self.0.random_bool(0.85)
        {
            return String::new();
        }
        match self.0.random_range(0..100) {
            0..80 => TEXTS[self.0.random_range(0..TEXTS.len())].to_owned(),
            80..88 => {
                let length = self.0.random_range(1..40);
                (0..length).map(|_| self.0.random::<char>()).collect()
            }
            88..94 => format!("f{}", self.0.random::<u32>()),
            94..98 => {
                let length = [64, 65, 200, 201, 1_001, 2_001, 4_097];
                "x".repeat(length[self.0.random_range(0..length.len())])
            }
            98 => "(".repeat(3_000),
            _ => "é".repeat(40_000),
        }
    }
}

/// Bytes without a meaning.
pub fn random_bytes(rng: &mut ChaCha8Rng, most: usize) -> Vec<u8> {
    let length = rng.random_range(0..=most);
    (0..length).map(|_| rng.random()).collect()
}

/// A message with some bytes changed, added or missing.
pub fn damaged(rng: &mut ChaCha8Rng, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..rng.random_range(1..=4) {
        let at = rng.random_range(0..=bytes.len());
        match rng.random_range(0..3) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.random()),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = rng.random();
                }
            }
        }
    }
    bytes
}

/// Every field with another type than its own.
pub fn wrongly_typed(rng: &mut ChaCha8Rng, kind: &MessageDescriptor) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in kind.fields() {
        // 0: number, 1: eight bytes, 2: length and bytes, 3 and 4: groups, 5: four bytes, 6: none.
        let wire = rng.random_range(0..7_u8);
        let tag = u64::from(field.number()) << 3 | u64::from(wire);
        prost::encoding::encode_varint(tag, &mut bytes);
        match wire {
            0 => prost::encoding::encode_varint(rng.random(), &mut bytes),
            1 => bytes.extend(rng.random::<[u8; 8]>()),
            2 => {
                let content = random_bytes(rng, 20);
                prost::encoding::encode_varint(content.len() as u64, &mut bytes);
                bytes.extend(content);
            }
            5 => bytes.extend(rng.random::<[u8; 4]>()),
            _ => {}
        }
    }
    bytes
}

/// A message of a newer release.
pub fn with_unknown_fields(rng: &mut ChaCha8Rng, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..rng.random_range(1..=3) {
        let number = rng.random_range(1_000..500_000_000_u64);
        prost::encoding::encode_varint(number << 3 | 2, &mut bytes);
        let content = random_bytes(rng, 50);
        prost::encoding::encode_varint(content.len() as u64, &mut bytes);
        bytes.extend(content);
    }
    bytes
}

/// Messages within messages, deeper than anybody needs: the first field that is a message, again
/// and again; where there is none, groups.
pub fn deeply_nested(rng: &mut ChaCha8Rng, kind: &MessageDescriptor) -> Vec<u8> {
    let depth = [20, 90, 101, 2_000][rng.random_range(0..4)];
    let mut path = Vec::new();
    let mut at = kind.clone();
    while path.len() < depth {
        let fields: Vec<FieldDescriptor> = at.fields().collect();
        let inner = |field: &FieldDescriptor| match field.kind() {
            Kind::Message(kind) if kind.fields().len() > 0 => Some(kind),
            _ => None,
        };
        // The last one is more often one that comes back to itself.
        let Some((field, next)) = fields.iter().rev().find_map(|f| Some((f, inner(f)?))) else {
            break;
        };
        path.push(field.number());
        at = next;
    }
    let mut bytes: Vec<u8> = Vec::new();
    for number in path.iter().rev() {
        let mut outer = Vec::new();
        prost::encoding::encode_varint(u64::from(*number) << 3 | 2, &mut outer);
        prost::encoding::encode_varint(bytes.len() as u64, &mut outer);
        outer.extend(bytes);
        bytes = outer;
    }
    bytes.extend(std::iter::repeat_n(0x0b, depth - path.len()));
    bytes
}
