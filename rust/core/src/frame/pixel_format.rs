//! Pixel formats by their names and numbers in the Pixel Format Naming Convention (PFNC 32 bit).

use std::fmt;

/// A pixel format: the 32-bit PFNC number. Numbers we have no name for are kept as they came, so
/// that an error can say which one it was.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PixelFormat(pub u32);

/// Which colour stands at the top left of a 2 x 2 Bayer cell, and right of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bayer {
    /// Green, red / blue, green.
    GR,
    /// Red, green / green, blue.
    RG,
    /// Green, blue / red, green.
    GB,
    /// Blue, green / green, red.
    BG,
}

/// What the samples of a format are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// Grey.
    Mono,
    /// A mosaic of colours.
    Bayer(Bayer),
    /// Channels of a byte each, pixel after pixel.
    Bytes {
        /// Bytes of a pixel.
        each: usize,
        /// Where red, green and blue stand in it; alpha is left.
        rgb: [usize; 3],
    },
    /// A picture of reds, one of greens, one of blues.
    RgbPlanar,
    /// Two pixels in four bytes that share their chroma.
    Yuv422 {
        /// Where the first luma stands; the second follows two bytes later.
        luma: usize,
        /// Where the blue difference stands; the red one follows two bytes later.
        chroma: usize,
    },
}

/// How samples lie in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Packing {
    /// A byte each.
    Byte,
    /// Two bytes each, the low one first; the bits above the sample's are to be ignored.
    Word,
    /// Bit after bit from the lowest of a byte on (PFNC suffix `p`).
    Dense,
    /// Two samples in three bytes: the high bits of each in the outer bytes, the low ones in the
    /// halves of the middle one (GigE Vision 1.x, suffix `Packed`).
    Paired,
}

macro_rules! formats {
    ($($constant:ident = $name:literal $value:literal $content:expr, $bits:literal $packing:ident;)*) => {
        impl PixelFormat {
            $(
                #[doc = concat!("PFNC `", $name, "`.")]
                pub const $constant: Self = Self($value);
            )*

            /// Every format that pictures are made of here.
            pub const NAMED: &'static [(Self, &'static str)] = &[$((Self::$constant, $name)),*];

            /// What its samples are, if it is one we know.
            pub fn content(self) -> Option<Content> {
                match self {
                    $(Self::$constant => Some($content),)*
                    _ => None,
                }
            }

            /// Bits of a sample that say something, and how samples lie in bytes.
            pub fn samples(self) -> Option<(u32, Packing)> {
                match self {
                    $(Self::$constant => Some(($bits, Packing::$packing)),)*
                    _ => None,
                }
            }
        }
    };
}

const fn bytes(each: usize, rgb: [usize; 3]) -> Content {
    Content::Bytes { each, rgb }
}

const fn yuv(luma: usize, chroma: usize) -> Content {
    Content::Yuv422 { luma, chroma }
}

formats! {
    MONO8 = "Mono8" 0x0108_0001 Content::Mono, 8 Byte;
    MONO10 = "Mono10" 0x0110_0003 Content::Mono, 10 Word;
    MONO12 = "Mono12" 0x0110_0005 Content::Mono, 12 Word;
    MONO14 = "Mono14" 0x0110_0025 Content::Mono, 14 Word;
    MONO16 = "Mono16" 0x0110_0007 Content::Mono, 16 Word;
    MONO10P = "Mono10p" 0x010A_0046 Content::Mono, 10 Dense;
    MONO12P = "Mono12p" 0x010C_0047 Content::Mono, 12 Dense;
    MONO10_PACKED = "Mono10Packed" 0x010C_0004 Content::Mono, 10 Paired;
    MONO12_PACKED = "Mono12Packed" 0x010C_0006 Content::Mono, 12 Paired;
    BAYER_GR8 = "BayerGR8" 0x0108_0008 Content::Bayer(Bayer::GR), 8 Byte;
    BAYER_RG8 = "BayerRG8" 0x0108_0009 Content::Bayer(Bayer::RG), 8 Byte;
    BAYER_GB8 = "BayerGB8" 0x0108_000A Content::Bayer(Bayer::GB), 8 Byte;
    BAYER_BG8 = "BayerBG8" 0x0108_000B Content::Bayer(Bayer::BG), 8 Byte;
    BAYER_GR10 = "BayerGR10" 0x0110_000C Content::Bayer(Bayer::GR), 10 Word;
    BAYER_RG10 = "BayerRG10" 0x0110_000D Content::Bayer(Bayer::RG), 10 Word;
    BAYER_GB10 = "BayerGB10" 0x0110_000E Content::Bayer(Bayer::GB), 10 Word;
    BAYER_BG10 = "BayerBG10" 0x0110_000F Content::Bayer(Bayer::BG), 10 Word;
    BAYER_GR12 = "BayerGR12" 0x0110_0010 Content::Bayer(Bayer::GR), 12 Word;
    BAYER_RG12 = "BayerRG12" 0x0110_0011 Content::Bayer(Bayer::RG), 12 Word;
    BAYER_GB12 = "BayerGB12" 0x0110_0012 Content::Bayer(Bayer::GB), 12 Word;
    BAYER_BG12 = "BayerBG12" 0x0110_0013 Content::Bayer(Bayer::BG), 12 Word;
    BAYER_GR16 = "BayerGR16" 0x0110_002E Content::Bayer(Bayer::GR), 16 Word;
    BAYER_RG16 = "BayerRG16" 0x0110_002F Content::Bayer(Bayer::RG), 16 Word;
    BAYER_GB16 = "BayerGB16" 0x0110_0030 Content::Bayer(Bayer::GB), 16 Word;
    BAYER_BG16 = "BayerBG16" 0x0110_0031 Content::Bayer(Bayer::BG), 16 Word;
    BAYER_GR10P = "BayerGR10p" 0x010A_0056 Content::Bayer(Bayer::GR), 10 Dense;
    BAYER_RG10P = "BayerRG10p" 0x010A_0058 Content::Bayer(Bayer::RG), 10 Dense;
    BAYER_GB10P = "BayerGB10p" 0x010A_0054 Content::Bayer(Bayer::GB), 10 Dense;
    BAYER_BG10P = "BayerBG10p" 0x010A_0052 Content::Bayer(Bayer::BG), 10 Dense;
    BAYER_GR12P = "BayerGR12p" 0x010C_0057 Content::Bayer(Bayer::GR), 12 Dense;
    BAYER_RG12P = "BayerRG12p" 0x010C_0059 Content::Bayer(Bayer::RG), 12 Dense;
    BAYER_GB12P = "BayerGB12p" 0x010C_0055 Content::Bayer(Bayer::GB), 12 Dense;
    BAYER_BG12P = "BayerBG12p" 0x010C_0053 Content::Bayer(Bayer::BG), 12 Dense;
    BAYER_GR10_PACKED = "BayerGR10Packed" 0x010C_0026 Content::Bayer(Bayer::GR), 10 Paired;
    BAYER_RG10_PACKED = "BayerRG10Packed" 0x010C_0027 Content::Bayer(Bayer::RG), 10 Paired;
    BAYER_GB10_PACKED = "BayerGB10Packed" 0x010C_0028 Content::Bayer(Bayer::GB), 10 Paired;
    BAYER_BG10_PACKED = "BayerBG10Packed" 0x010C_0029 Content::Bayer(Bayer::BG), 10 Paired;
    BAYER_GR12_PACKED = "BayerGR12Packed" 0x010C_002A Content::Bayer(Bayer::GR), 12 Paired;
    BAYER_RG12_PACKED = "BayerRG12Packed" 0x010C_002B Content::Bayer(Bayer::RG), 12 Paired;
    BAYER_GB12_PACKED = "BayerGB12Packed" 0x010C_002C Content::Bayer(Bayer::GB), 12 Paired;
    BAYER_BG12_PACKED = "BayerBG12Packed" 0x010C_002D Content::Bayer(Bayer::BG), 12 Paired;
    RGB8 = "RGB8" 0x0218_0014 bytes(3, [0, 1, 2]), 8 Byte;
    BGR8 = "BGR8" 0x0218_0015 bytes(3, [2, 1, 0]), 8 Byte;
    RGBA8 = "RGBa8" 0x0220_0016 bytes(4, [0, 1, 2]), 8 Byte;
    BGRA8 = "BGRa8" 0x0220_0017 bytes(4, [2, 1, 0]), 8 Byte;
    RGB8_PLANAR = "RGB8_Planar" 0x0218_0021 Content::RgbPlanar, 8 Byte;
    YUV422_8 = "YUV422_8" 0x0210_0032 yuv(0, 1), 8 Byte;
    YUV422_8_UYVY = "YUV422_8_UYVY" 0x0210_001F yuv(1, 0), 8 Byte;
    YCBCR422_8 = "YCbCr422_8" 0x0210_003B yuv(0, 1), 8 Byte;
}

/// What one element of an array of pixels is; several bytes stand with the low one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// A byte.
    U8,
    /// 16 bits.
    U16,
    /// IEEE 754, 32 bits.
    F32,
}

impl Element {
    /// How long it is.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16 => 2,
            Self::F32 => 4,
        }
    }
}

macro_rules! arrays {
    ($($name:literal $value:literal $channels:literal $element:ident;)*) => {
        /// Formats that nothing here makes a picture of, each pixel of so many elements.
        const ARRAYS: &[(PixelFormat, &str, (usize, Element))] =
            &[$((PixelFormat($value), $name, ($channels, Element::$element))),*];
    };
}

arrays! {
    "Confidence8" 0x0108_00C6 1 U8;
    "Confidence16" 0x0110_00C7 1 U16;
    "Confidence32f" 0x0120_00C8 1 F32;
    "Coord3D_A8" 0x0108_00AF 1 U8;
    "Coord3D_B8" 0x0108_00B0 1 U8;
    "Coord3D_C8" 0x0108_00B1 1 U8;
    "Coord3D_A16" 0x0110_00B6 1 U16;
    "Coord3D_B16" 0x0110_00B7 1 U16;
    "Coord3D_C16" 0x0110_00B8 1 U16;
    "Coord3D_A32f" 0x0120_00BD 1 F32;
    "Coord3D_B32f" 0x0120_00BE 1 F32;
    "Coord3D_C32f" 0x0120_00BF 1 F32;
    "Coord3D_AC8" 0x0210_00B4 2 U8;
    "Coord3D_AC8_Planar" 0x0210_00B5 2 U8;
    "Coord3D_AC16" 0x0220_00BB 2 U16;
    "Coord3D_AC16_Planar" 0x0220_00BC 2 U16;
    "Coord3D_AC32f" 0x0240_00C2 2 F32;
    "Coord3D_AC32f_Planar" 0x0240_00C3 2 F32;
    "Coord3D_ABC8" 0x0218_00B2 3 U8;
    "Coord3D_ABC8_Planar" 0x0218_00B3 3 U8;
    "Coord3D_ABC16" 0x0230_00B9 3 U16;
    "Coord3D_ABC16_Planar" 0x0230_00BA 3 U16;
    "Coord3D_ABC32f" 0x0260_00C0 3 F32;
    "Coord3D_ABC32f_Planar" 0x0260_00C1 3 F32;
    "RGB10" 0x0230_0018 3 U16;
    "RGB12" 0x0230_001A 3 U16;
    "RGB14" 0x0230_005E 3 U16;
    "RGB16" 0x0230_0033 3 U16;
    "BGR10" 0x0230_0019 3 U16;
    "BGR12" 0x0230_001B 3 U16;
    "BGR14" 0x0230_004A 3 U16;
    "BGR16" 0x0230_004B 3 U16;
}

impl PixelFormat {
    /// Every format that has a name.
    pub fn all_named() -> impl Iterator<Item = (Self, &'static str)> {
        Self::NAMED.iter().copied().chain(ARRAYS.iter().map(|&(format, name, _)| (format, name)))
    }

    /// The PFNC name, if it is one we know.
    pub fn name(self) -> Option<&'static str> {
        Self::all_named().find(|(format, _)| *format == self).map(|(_, name)| name)
    }

    /// The format of a PFNC name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all_named().find(|(_, known)| *known == name).map(|(format, _)| format)
    }

    /// Of a format that is no picture here (its [`PixelFormat::content`] is `None`) and still an
    /// array: the elements of a pixel, and what they are. Where there are several planes, each has one
    /// of them.
    pub fn elements(self) -> Option<(usize, Element)> {
        ARRAYS.iter().find(|(format, ..)| *format == self).map(|&(_, _, elements)| elements)
    }

    /// Of colours of more than 8 bits, a word each: the bits of a sample, and where red, green and
    /// blue stand.
    pub fn deep_rgb(self) -> Option<(u32, [usize; 3])> {
        self.elements().filter(|elements| *elements == (3, Element::U16))?;
        let (colours, bits) = self.name()?.split_at_checked(3)?;
        let places = match colours {
            "RGB" => [0, 1, 2],
            "BGR" => [2, 1, 0],
            _ => return None,
        };
        Some((bits.parse().ok()?, places))
    }

    /// Bits that one pixel occupies: the second byte of a PFNC number.
    pub fn bits_per_pixel(self) -> u32 {
        (self.0 >> 16) & 0xFF
    }

    /// Planes that follow each other in memory, each of all rows.
    pub fn planes(self) -> usize {
        match self.0 {
            0x0218_0021 | 0x0218_00B3 | 0x0230_00BA | 0x0260_00C1 => 3,
            0x0210_00B5 | 0x0220_00BC | 0x0240_00C3 => 2,
            _ => 1,
        }
    }

    /// Bytes of a row of `width` pixels without padding, of one plane where there are several.
    ///
    /// Rows begin on a byte: where a packed row does not fill its last byte, the rest is unused.
    pub fn row_bytes(self, width: u32) -> usize {
        (width as usize * (self.bits_per_pixel() as usize / self.planes())).div_ceil(8)
    }

    /// The colour filter, for Bayer formats.
    pub fn bayer(self) -> Option<Bayer> {
        match self.content() {
            Some(Content::Bayer(bayer)) => Some(bayer),
            _ => None,
        }
    }
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => out.write_str(name),
            None => write!(out, "PFNC 0x{:08X}", self.0),
        }
    }
}

impl fmt::Debug for PixelFormat {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_go_both_ways() {
        for (format, name) in PixelFormat::all_named() {
            assert_eq!(PixelFormat::from_name(name), Some(format));
            assert_eq!(format.to_string(), name);
        }
        assert_eq!(PixelFormat(0x0123_4567).to_string(), "PFNC 0x01234567");
    }

    #[test]
    fn the_number_tells_the_bytes_of_a_row() {
        assert_eq!(PixelFormat::BAYER_RG8.row_bytes(5), 5);
        assert_eq!(PixelFormat::RGB8.row_bytes(5), 15);
        assert_eq!(PixelFormat::MONO12P.row_bytes(5), 8);
        assert_eq!(PixelFormat::MONO10P.row_bytes(5), 7);
        assert_eq!(PixelFormat::MONO10_PACKED.row_bytes(5), 8);
        assert_eq!(PixelFormat::RGB8_PLANAR.row_bytes(5), 5);
    }

    #[test]
    fn an_array_has_as_many_bytes_as_the_number_says() {
        for (format, name, (channels, element)) in ARRAYS {
            assert_eq!(format.bits_per_pixel() as usize, 8 * channels * element.bytes(), "{name}");
            assert_eq!(format.elements(), Some((*channels, *element)));
            assert_eq!((format.content(), format.samples()), (None, None), "{name}");
        }
        assert_eq!(PixelFormat::MONO8.elements(), None);
        for (format, name) in PixelFormat::all_named() {
            let planes = match (format.elements(), name.ends_with("_Planar")) {
                (Some((channels, _)), true) => channels,
                (None, true) => 3,
                (_, false) => 1,
            };
            assert_eq!(format.planes(), planes, "{name}");
        }
        assert_eq!(PixelFormat::from_name("Coord3D_ABC32f_Planar").unwrap().row_bytes(5), 20);
        let deep = |name| PixelFormat::from_name(name).unwrap().deep_rgb();
        assert_eq!(deep("BGR12"), Some((12, [2, 1, 0])));
        assert_eq!((deep("Coord3D_ABC16"), deep("Mono16"), deep("RGB8")), (None, None, None));
    }

    #[test]
    fn the_number_agrees_with_the_packing() {
        for (format, name) in PixelFormat::NAMED {
            let (bits, packing) = format.samples().unwrap();
            let each = match packing {
                Packing::Byte => 8,
                Packing::Word => 16,
                Packing::Dense => bits,
                Packing::Paired => 12,
            };
            let samples = match format.content().unwrap() {
                Content::Mono | Content::Bayer(_) => 1,
                Content::Bytes { each, .. } => each as u32,
                Content::RgbPlanar => 3,
                Content::Yuv422 { .. } => 2,
            };
            assert_eq!(format.bits_per_pixel(), each * samples, "{name}");
        }
    }
}
