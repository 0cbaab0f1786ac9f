"""English texts of the domain, translatable later."""


class LazyText(str):
    """An English text with its template and values, for `bot.ui.i18n`.

    As a string it is the English: `LazyText("1 to {highest}", highest=4)` is "1 to 4". Write the template out as a
    literal in the call: `scripts/extract-i18n` collects the texts from there.
    """

    __slots__ = ("template", "values")

    template: str
    values: dict[str, object]

    def __new__(cls, template: str, /, **values: object) -> "LazyText":
        """Create the English text."""
        text = super().__new__(cls, template.format(**values))
        text.template = template
        text.values = values
        return text


class LazyPlural(str):
    """An English text with a number, in two forms.

    `LazyPlural("{count} picture", "{count} pictures", 2)` is "2 pictures".
    """

    __slots__ = ("number", "one", "several")

    one: str
    several: str
    number: int

    def __new__(cls, one: str, several: str, number: int, /) -> "LazyPlural":
        """Create the English text."""
        text = super().__new__(cls, (one if number == 1 else several).format(count=number))
        text.one = one
        text.several = several
        text.number = number
        return text
