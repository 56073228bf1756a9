"""The site: `pip install -e ".[docs]"`, then `sphinx-build -W --keep-going docs build/site`, which needs no network."""

import os
import sys
from pathlib import Path

import jaxrestore

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extension"))

project = "jaxrestore"
version = release = jaxrestore.__version__
copyright = "The jaxrestore authors, Apache-2.0"
extensions = ["myst_nb", "sphinx.ext.autodoc", "public_names", "docstrings"]
exclude_patterns = ["_extension"]

# Markdown, and notebooks that are Markdown: each is executed anew, and an error in one ends the build.
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # tables of experiments start at any level
nb_execution_mode = "force"
nb_execution_cache_path = str(HERE.parent / "build" / "notebooks")  # for -D nb_execution_mode=cache
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_show_tb = True
nb_render_markdown_format = "gfm"
nb_merge_streams = True
nb_output_stderr = "remove"  # progress, and what compilers say
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(HERE.parent / "build" / "programs"))  # for the next build
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(HERE / "tutorials"), str(HERE.parent), os.environ.get("PYTHONPATH", "")]
).rstrip(os.pathsep)

# `name` in a docstring is a link where there is such a name, and code elsewhere.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # `docstrings.py` writes them as the source has them
python_maximum_signature_line_length = 88
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"jaxrestore {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True, "top_of_page_buttons": []}
