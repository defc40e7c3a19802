//! Gives each node one of the boards that could serve it.

/// Assigns boards, given by number below `boards`, to nodes: `candidates` holds the boards that could serve each node,
/// the preferred ones first. As many nodes as possible get one (augmenting paths); the others get `None`.
pub(super) fn assign(candidates: &[Vec<usize>], boards: usize) -> Vec<Option<usize>> {
    let mut node_of_board: Vec<Option<usize>> = vec![None; boards];
    for node in 0..candidates.len() {
        place(node, candidates, &mut node_of_board, &mut vec![false; boards]);
    }
    let mut board_of_node = vec![None; candidates.len()];
    for (board, node) in node_of_board.into_iter().enumerate() {
        if let Some(slot) = node.and_then(|node| board_of_node.get_mut(node)) {
            *slot = Some(board);
        }
    }
    board_of_node
}

/// Finds a board for `node`, moving others to boards that would do for them as well; whether that succeeded.
fn place(
    node: usize,
    candidates: &[Vec<usize>],
    node_of_board: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    if let Some(&free) = candidates[node].iter().find(|&&board| node_of_board[board].is_none()) {
        node_of_board[free] = Some(node);
        return true;
    }
    for &board in &candidates[node] {
        if std::mem::replace(&mut tried[board], true) {
            continue;
        }
        if node_of_board[board].is_some_and(|other| place(other, candidates, node_of_board, tried)) {
            node_of_board[board] = Some(node);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::assign;

    #[test]
    fn a_board_that_serves_two_types_is_left_for_the_node_that_needs_it() {
        assert_eq!(assign(&[vec![0, 1], vec![0]], 2), [Some(1), Some(0)]);
    }

    #[test]
    fn nodes_for_which_no_board_is_left_get_none() {
        assert_eq!(assign(&[vec![0], vec![0], vec![]], 1), [Some(0), None, None]);
    }

    #[test]
    fn the_first_board_that_serves_is_preferred() {
        assert_eq!(assign(&[vec![0, 1, 2], vec![0, 1, 2]], 3), [Some(0), Some(1)]);
    }
}
