"""Jobs on the workers of a Dask cluster; the one room here that knows of Dask."""
