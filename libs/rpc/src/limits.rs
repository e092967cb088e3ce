//! Bounds of what comes over the wire. Bounds of the business stand in the domain.

/// Largest message that a server takes, in bytes.
pub const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;
/// Largest message of a service without bulk calls, in bytes: nothing that it takes is long.
pub const MAX_SMALL_REQUEST_BYTES: usize = 1024 * 1024;
/// Most bytes of the headers of a call.
pub const MAX_HEADER_BYTES: u32 = 32 * 1024;
/// Most paths of a field mask.
pub const MAX_MASK_PATHS: usize = 100;
/// Largest message that a client takes, in bytes.
pub const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;
/// Most rows in one message of a bulk call.
pub const MAX_BATCH_ROWS: usize = 1_000;
/// Entries of a page when the caller does not say.
pub const DEFAULT_PAGE_SIZE: u32 = 50;
/// Most entries of a page.
pub const MAX_PAGE_SIZE: u32 = 1_000;
/// Longest page token, in bytes.
pub const MAX_PAGE_TOKEN_BYTES: usize = 4_096;
/// Longest filter, in bytes.
pub const MAX_FILTER_BYTES: usize = 4_096;
/// Deepest nesting of a filter.
pub const MAX_FILTER_DEPTH: usize = 20;
/// Most comparisons in a filter.
pub const MAX_FILTER_TERMS: usize = 100;
/// Most fields in an order.
pub const MAX_ORDER_FIELDS: usize = 5;
/// Longest bearer token, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8_192;
/// Longest request id, in bytes.
pub const MAX_REQUEST_ID_BYTES: usize = 64;
/// Longest consistency token, in bytes.
pub const MAX_CONSISTENCY_TOKEN_BYTES: usize = 4_096;
/// Most bytes of field violations in the details of a status. Details travel in HTTP trailers,
/// of which common clients take 8 KiB.
pub const MAX_VIOLATION_BYTES: usize = 3_000;
/// Longest message of a status, in bytes; for the same reason.
pub const MAX_STATUS_MESSAGE_BYTES: usize = 600;
