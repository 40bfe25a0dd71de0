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

macro_rules! formats {
    ($($constant:ident = $name:literal $value:literal;)*) => {
        impl PixelFormat {
            $(
                #[doc = concat!("PFNC `", $name, "`.")]
                pub const $constant: Self = Self($value);
            )*

            /// Every format that has a name here.
            pub const NAMED: &'static [(Self, &'static str)] = &[$((Self::$constant, $name)),*];
        }
    };
}

formats! {
    MONO8 = "Mono8" 0x0108_0001;
    MONO10 = "Mono10" 0x0110_0003;
    MONO10_PACKED = "Mono10Packed" 0x010C_0004;
    MONO12 = "Mono12" 0x0110_0005;
    MONO12_PACKED = "Mono12Packed" 0x010C_0006;
    MONO16 = "Mono16" 0x0110_0007;
    MONO14 = "Mono14" 0x0110_0025;
    MONO10P = "Mono10p" 0x010A_0046;
    MONO12P = "Mono12p" 0x010C_0047;
    BAYER_GR8 = "BayerGR8" 0x0108_0008;
    BAYER_RG8 = "BayerRG8" 0x0108_0009;
    BAYER_GB8 = "BayerGB8" 0x0108_000A;
    BAYER_BG8 = "BayerBG8" 0x0108_000B;
    RGB8 = "RGB8" 0x0218_0014;
    BGR8 = "BGR8" 0x0218_0015;
    RGBA8 = "RGBa8" 0x0220_0016;
    BGRA8 = "BGRa8" 0x0220_0017;
}

impl PixelFormat {
    /// The PFNC name, if it is one we know.
    pub fn name(self) -> Option<&'static str> {
        Self::NAMED.iter().find(|(format, _)| *format == self).map(|(_, name)| *name)
    }

    /// The format of a PFNC name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(_, known)| *known == name).map(|(format, _)| *format)
    }

    /// Bits that one pixel occupies: the second byte of a PFNC number.
    pub fn bits_per_pixel(self) -> u32 {
        (self.0 >> 16) & 0xFF
    }

    /// Bytes of a row of `width` pixels without padding.
    pub fn row_bytes(self, width: u32) -> usize {
        (width as usize * self.bits_per_pixel() as usize).div_ceil(8)
    }

    /// The colour filter, for the 8-bit Bayer formats.
    pub fn bayer(self) -> Option<Bayer> {
        match self {
            Self::BAYER_GR8 => Some(Bayer::GR),
            Self::BAYER_RG8 => Some(Bayer::RG),
            Self::BAYER_GB8 => Some(Bayer::GB),
            Self::BAYER_BG8 => Some(Bayer::BG),
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
        for (format, name) in PixelFormat::NAMED {
            assert_eq!(PixelFormat::from_name(name), Some(*format));
            assert_eq!(format.to_string(), *name);
        }
        assert_eq!(PixelFormat(0x0123_4567).to_string(), "PFNC 0x01234567");
    }

    #[test]
    fn the_number_tells_the_bytes_of_a_row() {
        assert_eq!(PixelFormat::BAYER_RG8.row_bytes(5), 5);
        assert_eq!(PixelFormat::RGB8.row_bytes(5), 15);
        assert_eq!(PixelFormat::MONO12P.row_bytes(5), 8);
    }
}
