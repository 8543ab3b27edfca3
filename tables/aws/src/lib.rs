//! Tables about AWS accounts
