//! Pixel formats by their PFNC numbers: what their samples are, and how these lie in bytes.

/// How samples lie in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// A byte each.
    Byte,
    /// Two bytes each, the low one first.
    Word,
    /// Bit after bit, from the lowest of a byte on (suffix `p`).
    Dense,
    /// Two samples in three bytes: the high bits of each in the outer ones, the low bits in the
    /// halves of the middle one (GigE Vision's suffix `Packed`).
    Paired,
}

/// What the samples of a pixel are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Samples {
    /// Grey.
    Mono,
    /// One colour (0 red, 1 green, 2 blue) for each pixel of a 2 x 2 cell, by rows.
    Mosaic([usize; 4]),
    /// These colours, one after the other; 3 is an opaque alpha.
    Colours(&'static [usize]),
    /// Two for each pixel: luma, and blue and red difference in turn. Tells whether luma is first.
    Yuv422 { luma_first: bool },
}

const RG: Samples = Samples::Mosaic([0, 1, 1, 2]);
const GR: Samples = Samples::Mosaic([1, 0, 2, 1]);
const GB: Samples = Samples::Mosaic([1, 2, 0, 1]);
const BG: Samples = Samples::Mosaic([2, 1, 1, 0]);
const RGB: Samples = Samples::Colours(&[0, 1, 2]);
const BGR: Samples = Samples::Colours(&[2, 1, 0]);
const RGBA: Samples = Samples::Colours(&[0, 1, 2, 3]);
const BGRA: Samples = Samples::Colours(&[2, 1, 0, 3]);

macro_rules! formats {
    ($($name:ident $value:literal $samples:expr, $bits:literal $packing:ident;)*) => {
        /// What a pixel is made of; the discriminants are the PFNC's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        #[allow(non_camel_case_types)] // The PFNC's own names.
        pub(crate) enum PixelFormat {
            $($name = $value,)*
        }

        impl PixelFormat {
            pub(crate) const ALL: &'static [(Self, &'static str)] =
                &[$((Self::$name, stringify!($name)),)*];

            /// What its samples are.
            pub(crate) fn samples(self) -> Samples {
                match self { $(Self::$name => $samples,)* }
            }

            /// Bits of a sample that say something, and how samples lie in bytes.
            pub(crate) fn packing(self) -> (u32, Packing) {
                match self { $(Self::$name => ($bits, Packing::$packing),)* }
            }
        }
    };
}

formats! {
    Mono8 0x0108_0001 Samples::Mono, 8 Byte;
    Mono10 0x0110_0003 Samples::Mono, 10 Word;
    Mono10p 0x010A_0046 Samples::Mono, 10 Dense;
    Mono10Packed 0x010C_0004 Samples::Mono, 10 Paired;
    Mono12 0x0110_0005 Samples::Mono, 12 Word;
    Mono12p 0x010C_0047 Samples::Mono, 12 Dense;
    Mono12Packed 0x010C_0006 Samples::Mono, 12 Paired;
    Mono14 0x0110_0025 Samples::Mono, 14 Word;
    Mono16 0x0110_0007 Samples::Mono, 16 Word;
    BayerGR8 0x0108_0008 GR, 8 Byte;
    BayerRG8 0x0108_0009 RG, 8 Byte;
    BayerGB8 0x0108_000A GB, 8 Byte;
    BayerBG8 0x0108_000B BG, 8 Byte;
    BayerGR10 0x0110_000C GR, 10 Word;
    BayerRG10 0x0110_000D RG, 10 Word;
    BayerGB10 0x0110_000E GB, 10 Word;
    BayerBG10 0x0110_000F BG, 10 Word;
    BayerGR10p 0x010A_0056 GR, 10 Dense;
    BayerRG10p 0x010A_0058 RG, 10 Dense;
    BayerGB10p 0x010A_0054 GB, 10 Dense;
    BayerBG10p 0x010A_0052 BG, 10 Dense;
    BayerGR12 0x0110_0010 GR, 12 Word;
    BayerRG12 0x0110_0011 RG, 12 Word;
    BayerGB12 0x0110_0012 GB, 12 Word;
    BayerBG12 0x0110_0013 BG, 12 Word;
    BayerGR12p 0x010C_0057 GR, 12 Dense;
    BayerRG12p 0x010C_0059 RG, 12 Dense;
    BayerGB12p 0x010C_0055 GB, 12 Dense;
    BayerBG12p 0x010C_0053 BG, 12 Dense;
    BayerGR12Packed 0x010C_002A GR, 12 Paired;
    BayerRG12Packed 0x010C_002B RG, 12 Paired;
    BayerGB12Packed 0x010C_002C GB, 12 Paired;
    BayerBG12Packed 0x010C_002D BG, 12 Paired;
    BayerGR16 0x0110_002E GR, 16 Word;
    BayerRG16 0x0110_002F RG, 16 Word;
    BayerGB16 0x0110_0030 GB, 16 Word;
    BayerBG16 0x0110_0031 BG, 16 Word;
    RGB8 0x0218_0014 RGB, 8 Byte;
    BGR8 0x0218_0015 BGR, 8 Byte;
    RGBa8 0x0220_0016 RGBA, 8 Byte;
    BGRa8 0x0220_0017 BGRA, 8 Byte;
    RGB16 0x0230_0033 RGB, 16 Word;
    YUV422_8_UYVY 0x0210_001F Samples::Yuv422 { luma_first: false }, 8 Byte;
    YUV422_8 0x0210_0032 Samples::Yuv422 { luma_first: true }, 8 Byte;
}

impl PixelFormat {
    pub(crate) fn from_pfnc(value: u32) -> Option<Self> {
        Self::ALL.iter().find(|(format, _)| *format as u32 == value).map(|(format, _)| *format)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(format, _)| *format == self).map_or("", |(_, name)| name)
    }

    /// Bits of a pixel, which the PFNC's numbers hold.
    fn bits(self) -> usize {
        (self as usize >> 16) & 0xFF
    }

    /// Pixels after which a row may end, so that every row has whole bytes.
    pub(crate) fn width_step(self) -> u32 {
        if self.bits() == 10 { 4 } else { 2 }
    }

    /// Bytes of one row.
    pub(crate) fn row_bytes(self, width: usize) -> usize {
        (width * self.bits()).div_ceil(8)
    }

    pub(crate) fn samples_per_pixel(self) -> usize {
        match self.samples() {
            Samples::Mono | Samples::Mosaic(_) => 1,
            Samples::Colours(colours) => colours.len(),
            Samples::Yuv422 { .. } => 2,
        }
    }

    /// The bytes of whole rows of samples.
    pub(crate) fn pack(self, samples: &[u16]) -> Vec<u8> {
        let (bits, packing) = self.packing();
        match packing {
            Packing::Byte => samples.iter().map(|&sample| sample as u8).collect(),
            Packing::Word => samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
            Packing::Dense => {
                let mut bytes = Vec::with_capacity(samples.len() * bits as usize / 8 + 1);
                let (mut held, mut count) = (0u32, 0);
                for &sample in samples {
                    held |= u32::from(sample) << count;
                    count += bits;
                    while count >= 8 {
                        bytes.push(held as u8);
                        held >>= 8;
                        count -= 8;
                    }
                }
                if count > 0 {
                    bytes.push(held as u8);
                }
                bytes
            }
            Packing::Paired => {
                let low = bits - 8;
                let mask = (1 << low) - 1;
                let pair = |pair: &[u16]| {
                    let (a, b) = (pair[0], pair.get(1).copied().unwrap_or(0));
                    [(a >> low) as u8, ((a & mask) | (b & mask) << 4) as u8, (b >> low) as u8]
                };
                samples.chunks(2).flat_map(pair).collect()
            }
        }
    }

    /// The samples of whole rows of bytes.
    pub(crate) fn unpack(self, bytes: &[u8]) -> Vec<u16> {
        let (bits, packing) = self.packing();
        match packing {
            Packing::Byte => bytes.iter().map(|&byte| u16::from(byte)).collect(),
            Packing::Word => {
                bytes.chunks_exact(2).map(|word| u16::from_le_bytes([word[0], word[1]])).collect()
            }
            Packing::Dense => {
                let mut samples = Vec::with_capacity(bytes.len() * 8 / bits as usize);
                let (mut held, mut count) = (0u32, 0);
                for &byte in bytes {
                    held |= u32::from(byte) << count;
                    count += 8;
                    if count >= bits {
                        samples.push((held & ((1 << bits) - 1)) as u16);
                        held >>= bits;
                        count -= bits;
                    }
                }
                samples
            }
            Packing::Paired => {
                let low = bits - 8;
                let mask = (1 << low) - 1;
                let pair = |three: &[u8]| {
                    let middle = u16::from(three[1]);
                    [
                        u16::from(three[0]) << low | (middle & mask),
                        u16::from(three[2]) << low | (middle >> 4 & mask),
                    ]
                };
                bytes.chunks_exact(3).flat_map(pair).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_samples_lie_as_the_standards_say() {
        let samples = [0x0ABC, 0x0123, 0x0FFF, 0x0800];
        let golden = [0xBC, 0x3A, 0x12, 0xFF, 0x0F, 0x80];
        assert_eq!(PixelFormat::Mono12p.pack(&samples), golden);
        let golden = [0xAB, 0x3C, 0x12, 0xFF, 0x0F, 0x80];
        assert_eq!(PixelFormat::Mono12Packed.pack(&samples), golden);
        assert_eq!(
            PixelFormat::Mono12.pack(&samples),
            [0xBC, 0x0A, 0x23, 0x01, 0xFF, 0x0F, 0x00, 0x08]
        );
        let samples = [0x3FF, 0x000, 0x155, 0x2AA];
        // 11 1111 1111 | 00 0000 0000 | 01 0101 0101 | 10 1010 1010, from the lowest bit on.
        assert_eq!(PixelFormat::Mono10p.pack(&samples), [0xFF, 0x03, 0x50, 0x95, 0xAA]);
        assert_eq!(PixelFormat::Mono10Packed.pack(&samples), [0xFF, 0x03, 0x00, 0x55, 0x21, 0xAA]);
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        for (format, name) in PixelFormat::ALL {
            let (bits, _) = format.packing();
            let samples: Vec<u16> =
                (0..48u32).map(|at| ((at * 40_503) & ((1 << bits) - 1)) as u16).collect();
            let bytes = format.pack(&samples);
            assert_eq!(format.unpack(&bytes), samples, "{name}");
            let pixels = 48 / format.samples_per_pixel();
            assert_eq!(bytes.len(), format.row_bytes(pixels), "{name}");
            assert_eq!(PixelFormat::from_pfnc(*format as u32).unwrap().name(), *name);
        }
    }
}
