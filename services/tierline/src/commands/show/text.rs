//! Fitting text into a terminal.

use console::{Term, measure_text_width, truncate_str};

/// Gap between two columns.
const GAP: usize = 2;

/// Columns of the terminal; `None` when the output goes elsewhere, where nothing is shortened.
pub fn terminal_width() -> Option<usize> {
    let (_, width) = Term::stdout().size_checked()?;
    Some(usize::from(width))
}

/// At most `width` columns of a text, with an ellipsis where something was left out.
pub fn shorten(text: &str, width: usize) -> String {
    truncate_str(text, width, "…").into_owned()
}

/// Rows with their cells under each other. The last cell of a row is not padded.
pub fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let mut widths = vec![0; columns];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(measure_text_width(cell));
        }
    }
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            let pad = width.saturating_sub(measure_text_width(cell)) + GAP;
            line.extend(std::iter::repeat_n(' ', pad));
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Makes the last cell of each row fit the terminal beside the others. `None` when fewer than
/// `least` columns are left for it.
pub fn fit_last(rows: &mut [Vec<String>], terminal: Option<usize>, least: usize) -> Option<()> {
    let Some(terminal) = terminal else {
        return Some(());
    };
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let mut widths = vec![0; columns.saturating_sub(1)];
    for row in rows.iter() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(measure_text_width(cell));
        }
    }
    // A table has a space on each side of every cell.
    let used: usize = widths.iter().map(|width| width + 2).sum();
    let rest = terminal
        .checked_sub(used + 2)
        .filter(|rest| *rest >= least)?;
    for row in rows {
        if let Some(last) = row.last_mut() {
            *last = shorten(last, rest);
        }
    }
    Some(())
}

/// A text broken at spaces into lines of at most `width` columns.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if measure_text_width(line) + 1 + measure_text_width(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn shortening_counts_columns_and_says_that_something_is_missing() {
        assert_eq!(shorten("short", 5), "short");
        assert_eq!(shorten("a longer text", 6), "a lon…");
        assert_eq!(
            shorten("日本語の名前", 6),
            "日本…",
            "wide letters take two columns"
        );
    }

    #[test]
    fn cells_stand_under_each_other_whatever_their_letters() {
        let lines = aligned(&[
            row(&["Zoë", "1", ""]),
            row(&["日本", "22", "x"]),
            row(&["a"]),
        ]);
        assert_eq!(lines, ["Zoë   1", "日本  22  x", "a"]);
    }

    #[test]
    fn the_last_cell_takes_the_room_that_is_left() {
        let mut rows = vec![row(&["2026-01-01", "a sentence that is rather long"])];
        assert!(fit_last(&mut rows, Some(30), 10).is_some());
        assert_eq!(rows[0][1], "a sentence that…");
        let whole = rows.clone();
        assert!(fit_last(&mut rows, None, 10).is_some());
        assert_eq!(rows, whole, "a pipe gets everything");
        assert!(fit_last(&mut rows, Some(20), 10).is_none(), "no room");
    }

    #[test]
    fn a_paragraph_breaks_at_spaces() {
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrapped("incomprehensible", 7), ["incomprehensible"]);
        assert!(wrapped(" ", 7).is_empty());
    }
}
