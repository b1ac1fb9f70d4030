//! Who calls: tokens, published keys, staff roles and the rights that follow from them.
