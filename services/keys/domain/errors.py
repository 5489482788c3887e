"""What the keys service may refuse."""

from shared.errors import Conflict, Forbidden, Gone, Invalid, NotFound, TooManyRequests, Unauthenticated, Unavailable


class AppNotFound(NotFound):
    code = "keys.app_not_found"
    title = "There is no such app, or it is not yours."


class PairNotFound(NotFound):
    code = "keys.pair_not_found"
    title = "There is no such key pair, or it is not yours."


class PairAlreadyActive(Conflict):
    code = "keys.pair_already_active"
    title = "This app has an active key pair in this environment; regenerate it, or disable or revoke it first."


class PairEnded(Conflict):
    code = "keys.pair_ended"
    title = "This key pair has ended for ever; generate a new one."


class PairRetiring(Conflict):
    code = "keys.pair_retiring"
    title = "This key pair was regenerated and only works until its overlap ends; finish the rotation to end it now."


class PairNotRetiring(Conflict):
    code = "keys.pair_not_retiring"
    title = "This key pair is not in an overlap: it was not regenerated, or was rolled back."


class PairDisabled(Conflict):
    code = "keys.pair_disabled"
    title = "This key pair is disabled; enable it first, or generate a new one."


class TooManyPairs(Conflict):
    code = "keys.too_many_pairs"
    title = "This app keeps too many disabled key pairs in this environment; revoke those that are not needed."


class TooManyRegenerations(TooManyRequests):
    code = "keys.too_many_regenerations"
    title = "The keys of this app were regenerated 1,000 times today in this environment; go on tomorrow (UTC)."


class OverlapTooLong(Invalid):
    code = "keys.overlap_out_of_range"
    title = "An overlap lasts from 0 to 604,800 seconds."


class ExpiryPassed(Invalid):
    code = "keys.expiry_passed"
    title = "The key pair would have expired already."


class AccountErased(Gone):
    code = "keys.account_erased"
    title = "The account of this app was erased."


class SecretAlreadyRevealed(Gone):
    code = "keys.secret_already_revealed"
    title = "Credentials already viewed or downloaded, try regenerating if lost."


class StaleFeed(Unavailable):
    """The verifier cannot prove that it knows of every revocation, so it accepts nothing."""

    code = "STALE_FEED"
    title = "The verifier has not heard from the event log within its bound, so it refuses to answer; try again."


class VerifierBusy(Unavailable):
    code = "keys.verifier_busy"
    title = "Too many unknown keys are being looked up at once; try again."


class CallerRefused(Unauthenticated):
    """The secret key that a caller of the verifier brought is not good itself."""

    code = "keys.caller_refused"
    title = "Send a service token with the scope keys:verify, or a secret key that is valid here."


class SecretKeyInBrowser(Forbidden):
    code = "keys.secret_key_in_browser"
    title = "A secret key was sent from a browser. Anyone there can read it: regenerate it, and keep the new one on your servers."
