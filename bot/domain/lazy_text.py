"""English that the domain has to say, with what is needed to say it in another language."""


class LazyText(str):
    """An English text that keeps its template and values, so that `bot.ui.i18n` can translate it.

    As a string it is the English: `Phrase("1 to {highest}", highest=4)` is "1 to 4". The template is written out where
    the phrase is made, because that is where the catalogue of texts is extracted from.
    """

    __slots__ = ("template", "values")

    template: str
    values: dict[str, object]

    def __new__(cls, template: str, /, **values: object) -> "LazyText":
        """Make the English text."""
        phrase = super().__new__(cls, template.format(**values))
        phrase.template = template
        phrase.values = values
        return phrase
