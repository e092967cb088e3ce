//! Rows of a delimited file, streaming and bounded: plain or gzip (told by content), UTF-8 with or
//! without byte-order mark.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use csv::{ByteRecord, StringRecord};
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use crate::error::ImportError;
use crate::mapping::FileFormat;

const BUFFER: usize = 1 << 16;

/// Bounds of what is read. A file beyond them is refused, a cell beyond them rejects its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Size of the file as it lies on disk.
    pub file_bytes: u64,
    /// Size of its content after decompression.
    pub content_bytes: u64,
    /// Rows, without the header.
    pub rows: u64,
    /// Columns.
    pub columns: usize,
    /// Size of one row.
    pub row_bytes: u64,
    /// Size of one cell.
    pub cell_bytes: usize,
    /// Rows of one group.
    pub group_rows: usize,
    /// Rows held at once for `rows: anywhere`.
    pub held_rows: usize,
    /// Rows of a lookup file.
    pub lookup_rows: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 2 << 30,
            content_bytes: 8 << 30,
            rows: 5_000_000,
            columns: 1_000,
            row_bytes: 1 << 20,
            cell_bytes: 1 << 16,
            group_rows: 10_000,
            held_rows: 500_000,
            lookup_rows: 1_000_000,
        }
    }
}

// What the layers of the reader share with its owner.
#[derive(Default)]
struct Meter {
    file_bytes: AtomicU64,
    /// Bytes that may still be read before the next row ends.
    allowance: AtomicU64,
    row_too_long: AtomicBool,
    content_too_large: AtomicBool,
}

struct Counted<R> {
    inner: R,
    meter: Arc<Meter>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.meter
            .file_bytes
            .fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

struct Content {
    inner: Box<dyn Read + Send>,
    meter: Arc<Meter>,
    left: u64,
    digest: Arc<std::sync::Mutex<Sha256>>,
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if let Ok(mut digest) = self.digest.lock() {
            digest.update(&buffer[..count]);
        }
        let bytes = count as u64;
        if bytes > self.left {
            self.meter.content_too_large.store(true, Ordering::Relaxed);
            return Err(io::Error::other("the content is too large"));
        }
        self.left -= bytes;
        let allowance = self.meter.allowance.load(Ordering::Relaxed);
        if count > 0 && allowance == 0 {
            self.meter.row_too_long.store(true, Ordering::Relaxed);
            return Err(io::Error::other("a row is too long"));
        }
        self.meter
            .allowance
            .store(allowance.saturating_sub(bytes), Ordering::Relaxed);
        Ok(count)
    }
}

/// One row as it stands in the file.
pub(crate) struct Row<'a> {
    /// From 1, without the header.
    pub(crate) number: u64,
    /// Line of the file in which the row begins, from 1.
    pub(crate) line: u64,
    /// The cells, or the position of the first that is not UTF-8.
    pub(crate) cells: Result<&'a StringRecord, usize>,
}

/// A file opened for reading, past its header.
pub(crate) struct RowReader {
    path: PathBuf,
    csv: csv::Reader<Box<dyn Read + Send>>,
    meter: Arc<Meter>,
    digest: Arc<std::sync::Mutex<Sha256>>,
    limits: Limits,
    header: Vec<String>,
    bytes: ByteRecord,
    cells: StringRecord,
    total_bytes: u64,
    rows: u64,
    /// 1 where lines end in CR LF: the csv reader counts the LF with the next row.
    lag: Option<u64>,
    /// Line in which the present row begins.
    line: u64,
}

impl RowReader {
    /// Opens a file and takes its header, or the listed column names where it has none.
    pub(crate) fn open(
        path: &Path,
        format: &FileFormat,
        limits: &Limits,
    ) -> Result<Self, ImportError> {
        let meter = Arc::new(Meter::default());
        meter
            .allowance
            .store(limits.row_bytes + BUFFER as u64, Ordering::Relaxed);
        let digest = Arc::new(std::sync::Mutex::new(Sha256::new()));
        let (total_bytes, input) = open_input(path, limits, &meter, &digest)?;
        let csv = csv::ReaderBuilder::new()
            .delimiter(format.delimiter)
            .quoting(format.quotes)
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(BUFFER)
            .from_reader(input);
        let mut reader = Self {
            path: path.to_owned(),
            csv,
            meter,
            digest,
            limits: limits.clone(),
            header: Vec::new(),
            bytes: ByteRecord::new(),
            cells: StringRecord::new(),
            total_bytes,
            rows: 0,
            lag: None,
            line: 0,
        };
        reader.header = match &format.columns {
            Some(columns) => columns.clone(),
            None => reader.take_header()?,
        };
        if reader.header.len() > limits.columns {
            return Err(reader.limit("columns", limits.columns as u64));
        }
        Ok(reader)
    }

    fn take_header(&mut self) -> Result<Vec<String>, ImportError> {
        if !self.advance()? {
            return Err(self.format("is empty; its first line must name the columns"));
        }
        let header = StringRecord::from_byte_record(std::mem::take(&mut self.bytes))
            .map_err(|_| self.format("has a header that is not UTF-8"))?;
        Ok(header.iter().map(|name| name.trim().to_owned()).collect())
    }

    /// Names of the columns, trimmed.
    pub(crate) fn header(&self) -> &[String] {
        &self.header
    }

    /// Positions of the named columns in this file.
    pub(crate) fn positions(&self, names: &[String]) -> Result<Vec<usize>, ImportError> {
        let mut missing = Vec::new();
        let mut positions = Vec::new();
        for name in names {
            let mut found = self
                .header
                .iter()
                .enumerate()
                .filter(|(_, known)| *known == name);
            match (found.next(), found.next()) {
                (Some((position, _)), None) => positions.push(position),
                (Some(_), Some(_)) => {
                    return Err(self.format(&format!("has two columns named \"{name}\"")));
                }
                (None, _) => missing.push(crate::error::MissingColumn {
                    name: name.clone(),
                    close: crate::suggest::close_names(
                        name,
                        self.header.iter().map(String::as_str),
                    )
                    .into_iter()
                    .map(str::to_owned)
                    .collect(),
                }),
            }
        }
        if missing.is_empty() {
            return Ok(positions);
        }
        Err(ImportError::Header {
            path: self.path.clone(),
            missing,
        })
    }

    /// The next row, or `None` at the end.
    pub(crate) fn next_row(&mut self) -> Result<Option<Row<'_>>, ImportError> {
        if !self.advance()? {
            return Ok(None);
        }
        self.rows += 1;
        if self.rows > self.limits.rows {
            return Err(self.limit("rows", self.limits.rows));
        }
        let line = self.line;
        let mut wrong = None;
        match StringRecord::from_byte_record(std::mem::take(&mut self.bytes)) {
            Ok(cells) => self.cells = cells,
            Err(error) => {
                wrong = Some(error.utf8_error().field());
                self.bytes = error.into_byte_record();
            }
        }
        let cells = match wrong {
            Some(field) => Err(field),
            None => Ok(&self.cells),
        };
        Ok(Some(Row {
            number: self.rows,
            line,
            cells,
        }))
    }

    fn advance(&mut self) -> Result<bool, ImportError> {
        if self.bytes.is_empty() && !self.cells.is_empty() {
            self.bytes = std::mem::take(&mut self.cells).into_byte_record();
        }
        // What the csv reader holds in its buffer belongs to rows that are still to come.
        self.meter
            .allowance
            .store(self.limits.row_bytes + BUFFER as u64, Ordering::Relaxed);
        let read = self.csv.read_byte_record(&mut self.bytes);
        if let Ok(true) = read {
            self.find_line();
        }
        read.map_err(|error| {
            if self.meter.row_too_long.load(Ordering::Relaxed) {
                return self.limit("bytes in one row", self.limits.row_bytes);
            }
            if self.meter.content_too_large.load(Ordering::Relaxed) {
                return self.limit("bytes of content", self.limits.content_bytes);
            }
            let source = match error.into_kind() {
                csv::ErrorKind::Io(source) => source,
                other => io::Error::other(format!("{other:?}")),
            };
            ImportError::Read {
                path: self.path.clone(),
                row: self.rows,
                source,
            }
        })
    }

    // Two countings: forward from the end of the row before, which blank lines make too low, and
    // back from the end of this row, which a missing last line end makes too low.
    fn find_line(&mut self) {
        let start = self.bytes.position().map_or(0, csv::Position::line) + self.lag.unwrap_or(0);
        let end = self.csv.position().line();
        let breaks = self
            .bytes
            .as_slice()
            .iter()
            .filter(|byte| **byte == b'\n')
            .count() as u64;
        let lag = *self
            .lag
            .get_or_insert_with(|| (breaks + 2).saturating_sub(end).min(1));
        self.line = start.max((end + lag).saturating_sub(breaks + 1));
    }

    fn limit(&self, what: &'static str, limit: u64) -> ImportError {
        ImportError::Limit {
            path: self.path.clone(),
            what,
            limit,
            row: self.rows,
        }
    }

    fn format(&self, text: &str) -> ImportError {
        ImportError::Format {
            path: self.path.clone(),
            text: text.to_owned(),
        }
    }

    /// Bytes of the file read so far, and in total.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (
            self.meter.file_bytes.load(Ordering::Relaxed),
            self.total_bytes,
        )
    }

    /// Rows read so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// SHA-256 of the content read so far, hexadecimal.
    pub(crate) fn digest(&self) -> String {
        let digest = self
            .digest
            .lock()
            .map(|digest| digest.clone())
            .unwrap_or_default();
        hex::encode(digest.finalize())
    }
}

fn open_input(
    path: &Path,
    limits: &Limits,
    meter: &Arc<Meter>,
    digest: &Arc<std::sync::Mutex<Sha256>>,
) -> Result<(u64, Box<dyn Read + Send>), ImportError> {
    let open_error = |source| ImportError::Open {
        path: path.to_owned(),
        source,
    };
    let read_error = |source| ImportError::Read {
        path: path.to_owned(),
        row: 0,
        source,
    };
    let format_error = |text: &str| ImportError::Format {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let file = File::open(path).map_err(open_error)?;
    let metadata = file.metadata().map_err(open_error)?;
    if metadata.is_dir() {
        return Err(format_error("is a folder; name a file"));
    }
    if metadata.len() > limits.file_bytes {
        let path = path.to_owned();
        return Err(ImportError::Limit {
            path,
            what: "bytes",
            limit: limits.file_bytes,
            row: 0,
        });
    }
    let counted = Counted {
        inner: file,
        meter: Arc::clone(meter),
    };
    let mut raw = BufReader::with_capacity(BUFFER, counted);
    let gzip = io::BufRead::fill_buf(&mut raw)
        .map_err(read_error)?
        .starts_with(&[0x1f, 0x8b]);
    let inner: Box<dyn Read + Send> = if gzip {
        Box::new(MultiGzDecoder::new(raw))
    } else {
        Box::new(raw)
    };
    let mut content = Content {
        inner,
        meter: Arc::clone(meter),
        left: limits.content_bytes,
        digest: Arc::clone(digest),
    };
    let mut start = Vec::with_capacity(4);
    (&mut content)
        .take(3)
        .read_to_end(&mut start)
        .map_err(read_error)?;
    if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
        return Err(format_error("is UTF-16; save it as UTF-8"));
    }
    if start.starts_with(b"PK\x03") {
        return Err(format_error(
            "is a ZIP archive or a workbook; export it as CSV (UTF-8)",
        ));
    }
    if start == [0xef, 0xbb, 0xbf] {
        start.clear();
    }
    Ok((metadata.len(), Box::new(Cursor::new(start).chain(content))))
}
