//! Every table there is
