//! `timestamptz` as a jiff timestamp.

use jiff::{SignedDuration, Timestamp};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Postgres, Type};

/// 2000-01-01T00:00:00Z, from which PostgreSQL counts microseconds.
const EPOCH: Timestamp = Timestamp::constant(946_684_800, 0);

/// A point in time out of the database: microseconds since 2000.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Instant(i64);

impl Instant {
    pub(crate) fn micros(self) -> i64 {
        self.0
    }

    pub(crate) fn timestamp(self) -> Result<Timestamp, jiff::Error> {
        EPOCH.checked_add(SignedDuration::from_micros(self.0))
    }
}

impl Type<Postgres> for Instant {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1184))
    }

    fn compatible(ty: &PgTypeInfo) -> bool {
        ty.oid() == Some(Oid(1184))
    }
}

impl Decode<'_, Postgres> for Instant {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        if value.format() != PgValueFormat::Binary {
            return Err("a timestamp in text form; queries are prepared and give binary".into());
        }
        let bytes: [u8; 8] = value.as_bytes()?.try_into()?;
        Ok(Self(i64::from_be_bytes(bytes)))
    }
}
