"""Age restriction of pictures: they stay in channels with the flag."""


def may_show(*, is_age_restricted: bool, in_age_restricted: bool) -> bool:
    """Return whether a picture may be shown, or used, in a place.

    `is_age_restricted` is the picture's flag: it was made in an age-restricted channel, or from such a picture.
    `in_age_restricted` is the place's. A direct message is no age-restricted channel, and a private answer is in the
    channel that shows it.
    """
    return in_age_restricted or not is_age_restricted
