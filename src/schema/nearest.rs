//! The name that was probably meant.

/// The one of `known` that is nearest to `name`, if any is near enough to be a slip of the pen: at most a third of the
/// characters differ. Case and underscores don't count as differences. The first of several equally near wins.
pub fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let folded = fold(name);
    known
        .into_iter()
        .map(|candidate| (distance(&folded, &fold(candidate)), candidate))
        .filter(|(distance, candidate)| distance * 3 <= folded.len().max(candidate.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn fold(name: &str) -> Vec<char> {
    name.chars()
        .filter(|c| *c != '_')
        .flat_map(char::to_lowercase)
        .take(MAX_LENGTH)
        .collect()
}

/// Longer names are compared by this much of them: the distance costs the product of the lengths.
const MAX_LENGTH: usize = 100;

/// How many characters to insert, delete, replace or swap with their neighbour (optimal string alignment).
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, l) in left.iter().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(at + 1);
        for (to, r) in right.iter().enumerate() {
            let of = |row: &[usize], position: usize| row.get(position).copied().unwrap_or(usize::MAX / 2);
            let mut cost = (of(&row, to) + usize::from(l != r))
                .min(of(&row, to + 1) + 1)
                .min(of(&next, to) + 1);
            let swapped = at > 0 && to > 0 && left.get(at - 1) == Some(r) && right.get(to - 1) == Some(l);
            if swapped {
                cost = cost.min(of(&before, to - 1) + 1);
            }
            next.push(cost);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_and_a_far_one_is_not() {
        let known = ["shelf", "book_name", "author", "page_size", "title"];
        let cases = [
            ("shelv", Some("shelf")),
            ("bookName", Some("book_name")),
            ("auhtor", Some("author")),
            ("titel", Some("title")),
            ("pagesize", Some("page_size")),
            ("zzz", None),
            ("", None),
        ];
        for (name, expected) in cases {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
    }
}
