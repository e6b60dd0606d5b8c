//! The protobuf wire format, as far as answers and the JSON form need it.

/// The value of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// A varint, fixed64 or fixed32.
    Number(u64),
    /// Text, bytes or a message.
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The bytes of a text or message; none for a number.
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Number(_) => &[],
        }
    }

    /// The number; 0 for a text or message.
    pub fn number(self) -> u64 {
        match self {
            Self::Number(number) => number,
            Self::Bytes(_) => 0,
        }
    }
}

/// The fields of a message with their numbers, up to the first byte that is not protobuf.
pub fn fields(bytes: &[u8]) -> impl Iterator<Item = (u32, Value<'_>)> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let tag = varint(&mut rest)?;
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut rest)?),
            1 => Value::Number(u64::from_le_bytes(take(&mut rest, 8)?.try_into().ok()?)),
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                Value::Bytes(take(&mut rest, length)?)
            }
            5 => Value::Number(u32::from_le_bytes(take(&mut rest, 4)?.try_into().ok()?).into()),
            _ => return None,
        };
        Some((u32::try_from(tag >> 3).ok()?, value))
    })
}

/// The last value of a field, which is the one that counts.
pub fn last(bytes: &[u8], number: u32) -> Option<Value<'_>> {
    fields(bytes).filter(|field| field.0 == number).map(|field| field.1).last()
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *take(rest, 1)?.first()?;
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_where_the_bytes_are_no_protobuf() {
        let all = |bytes: &'static [u8]| fields(bytes).collect::<Vec<_>>();
        assert_eq!(
            all(b"\x08\x96\x01\x12\x02hi\x1d\x01\0\0\0"),
            [(1, Value::Number(150)), (2, Value::Bytes(b"hi")), (3, Value::Number(1))]
        );
        assert_eq!(all(b"\x08\x01\x12\x05hi"), [(1, Value::Number(1))]);
        assert_eq!(all(b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), []);
        assert_eq!(all(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), []);
        assert_eq!(all(b"\x0b\x01"), []);
        assert_eq!(last(b"\x08\x01\x08\x02", 1), Some(Value::Number(2)));
    }
}
