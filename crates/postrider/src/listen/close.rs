//! Codes with which the server closes a connection.

/// Reason by which the Svix CLI recognizes that it has to choose another token.
pub const IN_USE_REASON: &str = "This socket is already in use";

/// The WebSocket code for a violated policy: connecting again does not help.
const POLICY: u16 = 1008;

/// The WebSocket code for a temporary condition.
const TRY_AGAIN_LATER: u16 = 1013;

/// Why the server closes a connection: one code for each reaction of the client.
///
/// A code is 4000 plus the HTTP status with the same meaning. The reason next to the code is for
/// people and may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseCode {
    /// 4401: the source can only be followed with a token of the API. The client stops.
    Unauthenticated,
    /// 4404: the source does not exist. The client stops.
    SourceNotFound,
    /// 4409: another connection listens with the same token, or has replaced this one. The client
    /// stops, because two that reconnect would replace each other in turn.
    TokenInUse,
    /// 4422: the token is malformed, or was made from another key. The client needs another one.
    InvalidToken,
    /// 4503: a temporary condition. The client reconnects after a pause.
    TryAgainLater,
}

impl CloseCode {
    const ALL: [Self; 5] = [
        Self::Unauthenticated,
        Self::SourceNotFound,
        Self::TokenInUse,
        Self::InvalidToken,
        Self::TryAgainLater,
    ];

    /// The code that is sent to a client that knows these codes.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Unauthenticated => 4401,
            Self::SourceNotFound => 4404,
            Self::TokenInUse => 4409,
            Self::InvalidToken => 4422,
            Self::TryAgainLater => 4503,
        }
    }

    /// The code that is sent to other clients, which only know those of the WebSocket standard.
    #[must_use]
    pub const fn standard_code(self) -> u16 {
        match self {
            Self::TryAgainLater => TRY_AGAIN_LATER,
            Self::Unauthenticated
            | Self::SourceNotFound
            | Self::TokenInUse
            | Self::InvalidToken => POLICY,
        }
    }

    /// The variant with this code, from [`CloseCode::code`].
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.code() == code)
    }
}
