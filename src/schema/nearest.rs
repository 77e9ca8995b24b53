//! "Did you mean": the known name that a wrong one was probably meant to be.

/// The candidate closest to `name`, if one is close enough to be a likely misspelling. Of equally close ones the
/// first wins.
pub(crate) fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // A third of the letters may differ; more, and the guess would be noise.
    let allowed = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= allowed * 4)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The Levenshtein distance of two names, ASCII case and `_` against `-` counting nothing.
fn distance(from: &str, to: &str) -> usize {
    let fold = |name: &str| {
        name.chars()
            .map(|letter| {
                if letter == '-' {
                    '_'
                } else {
                    letter.to_ascii_lowercase()
                }
            })
            .collect::<Vec<_>>()
    };
    let (from, to) = (fold(from), fold(to));
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.iter().enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (other, cell) in to.iter().zip(row.iter_mut().skip(1)) {
            let above = *cell;
            left = (diagonal + usize::from(letter != other)).min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_likely_misspelling_finds_its_name_and_anything_else_does_not() {
        let known = [
            "proto",
            "protos",
            "descriptor_set",
            "services",
            "limits",
            "max_request_bytes",
        ];
        for (wrong, expected) in [
            ("protoo", Some("proto")),
            ("Proto", Some("proto")),
            ("descriptorSet", Some("descriptor_set")),
            ("descriptor-set", Some("descriptor_set")),
            ("service", Some("services")),
            ("max_requests_byte", Some("max_request_bytes")),
            ("limit", Some("limits")),
            ("x", None),
            ("", None),
            ("completely_different", None),
        ] {
            assert_eq!(nearest(wrong, known), expected, "{wrong}");
        }
    }
}
