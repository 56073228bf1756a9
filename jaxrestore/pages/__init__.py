"""One page of HTML that needs nothing else: pictures, curves and tables in a file that a person opens or sends."""

from jaxrestore.pages.markup import Html, element, text
from jaxrestore.pages.parts import document, figure, slider, table
from jaxrestore.pages.restorations import page_of, write_page

__all__ = ["Html", "document", "element", "figure", "page_of", "slider", "table", "text", "write_page"]
