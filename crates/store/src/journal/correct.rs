//! Finds the one flipped bit that makes a checksum agree. CRC-32 tells every single flipped bit from every other one, up
//! to half a gigabyte; what was changed in more places is refused by whoever checks the outcome by other means.

/// Bytes searched at most.
const BYTES_MAX: usize = 32 * 1024 * 1024;

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut n: u32 = 0;
    while n < 256 {
        let mut c = n;
        let mut k = 0;
        while k < 8 {
            c = if c & 1 == 1 {
                0xedb8_8320 ^ (c >> 1)
            } else {
                c >> 1
            };
            k += 1;
        }
        table[n as usize] = c;
        n += 1;
    }
    table
}

/// The place of the flipped bit in what a checksum covers, counted from the first of `bytes` that were covered last.
/// `difference` is the exclusive or of the checksum expected and the one found.
pub(crate) fn flipped(bytes: usize, difference: u32) -> Option<(usize, u8)> {
    if difference == 0 || bytes > BYTES_MAX {
        return None;
    }
    let mut states: [u32; 8] = std::array::from_fn(|bit| TABLE[1 << bit]);
    for at in (0..bytes).rev() {
        for (bit, state) in (0u8..8).zip(&mut states) {
            if *state == difference {
                return Some((at, bit));
            }
            *state = (*state >> 8) ^ TABLE[(*state & 0xff) as usize];
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_found() {
        let whole: Vec<u8> = (0..100u8).map(|n| n.wrapping_mul(37)).collect();
        let expected = crc32fast::hash(&whole);
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let difference = expected ^ crc32fast::hash(&damaged);
            let place = flipped(damaged.len(), difference);
            assert_eq!(place, Some((bit / 8, u8::try_from(bit % 8).unwrap())));
        }
        assert_eq!(flipped(whole.len(), 0), None);
    }
}
