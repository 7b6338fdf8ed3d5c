//! Which node owns which slots.

use ::redis::Value;

use super::address::Address;
use super::keys::SLOTS;

/// Owners of ranges of slots, in order and without gaps between those that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SlotMap(Vec<Range>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Range {
    first: u16,
    last: u16,
    owner: Address,
}

impl SlotMap {
    /// One server has them all.
    pub(super) fn of_one(owner: Address) -> Self {
        Self(vec![Range { first: 0, last: SLOTS - 1, owner }])
    }

    /// Reads an answer to `CLUSTER SLOTS` that `asked` gave. What cannot be understood is left out.
    pub(super) fn parse(answer: &Value, asked: &Address) -> Self {
        let Value::Array(entries) = answer else { return Self::default() };
        let mut ranges: Vec<Range> = entries.iter().filter_map(|entry| range(entry, asked)).collect();
        ranges.sort_by_key(|range| range.first);
        Self(ranges)
    }

    pub(super) fn owner(&self, slot: u16) -> Option<&Address> {
        let at = self.0.partition_point(|range| range.last < slot);
        self.0.get(at).filter(|range| range.first <= slot).map(|range| &range.owner)
    }

    /// Every node that owns a slot.
    pub(super) fn owners(&self) -> Vec<Address> {
        let mut owners: Vec<Address> = self.0.iter().map(|range| range.owner.clone()).collect();
        owners.sort_unstable();
        owners.dedup();
        owners
    }

    /// Notes that one slot has another owner.
    pub(super) fn moved(&self, slot: u16, owner: Address) -> Self {
        let mut ranges = Vec::with_capacity(self.0.len() + 2);
        for range in &self.0 {
            if slot < range.first || slot > range.last {
                ranges.push(range.clone());
                continue;
            }
            if range.first < slot {
                ranges.push(Range { last: slot - 1, ..range.clone() });
            }
            if slot < range.last {
                ranges.push(Range { first: slot + 1, ..range.clone() });
            }
        }
        ranges.push(Range { first: slot, last: slot, owner });
        ranges.sort_by_key(|range| range.first);
        Self(ranges)
    }
}

fn range(entry: &Value, asked: &Address) -> Option<Range> {
    let Value::Array(parts) = entry else { return None };
    let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = &parts[..] else { return None };
    let [host, Value::Int(port), ..] = &master[..] else { return None };
    let host = match host {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok()?,
        Value::SimpleString(text) => text.clone(),
        // A node that does not know its own name.
        Value::Nil => String::new(),
        _ => return None,
    };
    let host = if host.is_empty() || host == "?" { asked.host.clone() } else { host };
    let owner = Address { host, port: u16::try_from(*port).ok()? };
    let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
    (first <= last && last < SLOTS).then_some(Range { first, last, owner })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> Address {
        Address { host: "h".to_owned(), port }
    }

    fn entry(first: i64, last: i64, host: Value, port: i64) -> Value {
        let master = vec![host, Value::Int(port), Value::BulkString(b"id".to_vec())];
        Value::Array(vec![Value::Int(first), Value::Int(last), Value::Array(master)])
    }

    fn name(host: &str) -> Value {
        Value::BulkString(host.as_bytes().to_vec())
    }

    #[test]
    fn each_slot_has_the_owner_that_the_cluster_says() {
        let answer = Value::Array(vec![
            entry(8000, 16383, name("h"), 2),
            entry(0, 4999, name(""), 1),
            entry(5000, 5000, Value::Nil, 3),
        ]);
        let map = SlotMap::parse(&answer, &at(9));
        for (slot, owner) in
            [(0, Some(1)), (4999, Some(1)), (5000, Some(3)), (5001, None), (7999, None), (16383, Some(2))]
        {
            assert_eq!(map.owner(slot).map(|owner| owner.port), owner, "{slot}");
        }
        assert_eq!(map.owners(), [at(1), at(2), at(3)]);
    }

    #[test]
    fn a_slot_that_moves_takes_no_other_with_it() {
        let one = SlotMap::of_one(at(1));
        for slot in [0, 7, SLOTS - 1] {
            let map = one.moved(slot, at(2)).moved(slot, at(3));
            for other in [0, 1, 6, 7, 8, SLOTS - 2, SLOTS - 1] {
                assert_eq!(map.owner(other), Some(&at(if other == slot { 3 } else { 1 })), "{slot} {other}");
            }
        }
    }

    #[test]
    fn an_answer_of_another_form_gives_no_owners() {
        let odd = [
            entry(5, 4, name("h"), 1),
            entry(0, 99_999, name("h"), 1),
            entry(0, 1, name("h"), 99_999),
            entry(-1, 1, name("h"), 1),
            entry(0, 1, Value::Okay, 1),
            Value::Nil,
            Value::Array(vec![]),
        ];
        assert_eq!(SlotMap::parse(&Value::Array(odd.into()), &at(1)), SlotMap::default());
        assert_eq!(SlotMap::parse(&Value::Okay, &at(1)), SlotMap::default());
    }
}
