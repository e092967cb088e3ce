//! What is accepted as an image, told by its bytes alone.

use imagesize::ImageType;
use tierline_domain::Rejection;
use tierline_domain::program::BadgeName;
use tierline_proto::program::v1 as pb;

/// Most bytes of an image.
const MAX_BYTES: usize = 262_144;
/// Fewest and most pixels on a side.
const PIXELS: std::ops::RangeInclusive<usize> = 16..=2_048;

/// An image that was looked at.
pub(super) struct Image<'a> {
    pub(super) name: BadgeName,
    pub(super) bytes: &'a [u8],
    pub(super) media_type: &'static str,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl<'a> Image<'a> {
    /// Looks at an image. SVG is not taken: it may carry scripts to whoever looks at a badge.
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, Rejection> {
        let wrong = |text: String| Rejection::invalid("image", text);
        if bytes.is_empty() || bytes.len() > MAX_BYTES {
            let size = bytes.len();
            return Err(wrong(format!(
                "must have 1 to {MAX_BYTES} bytes, and has {size}"
            )));
        }
        let media_type = match imagesize::image_type(bytes) {
            Ok(ImageType::Png) => "image/png",
            Ok(ImageType::Jpeg) => "image/jpeg",
            Ok(ImageType::Webp) => "image/webp",
            _ => return Err(wrong("must be a PNG, JPEG or WebP file".to_owned())),
        };
        let size = imagesize::blob_size(bytes);
        let size = size.map_err(|_| wrong("ends before it says how large it is".to_owned()))?;
        if !PIXELS.contains(&size.width) || !PIXELS.contains(&size.height) {
            return Err(wrong(format!(
                "must be {} to {} pixels wide and high, and is {} by {}",
                PIXELS.start(),
                PIXELS.end(),
                size.width,
                size.height
            )));
        }
        Ok(Self {
            name: BadgeName::of(bytes),
            bytes,
            media_type,
            width: u32::try_from(size.width).unwrap_or(u32::MAX),
            height: u32::try_from(size.height).unwrap_or(u32::MAX),
        })
    }

    pub(super) fn message(&self) -> pb::Badge {
        pb::Badge {
            badge: self.name.to_string(),
            media_type: self.media_type.to_owned(),
            size_bytes: u32::try_from(self.bytes.len()).unwrap_or(u32::MAX),
            width: self.width,
            height: self.height,
        }
    }
}
