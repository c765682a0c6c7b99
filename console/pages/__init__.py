"""The pages, one blueprint a kind."""

from console.pages.overview import bp as overview

BLUEPRINTS = (overview,)
