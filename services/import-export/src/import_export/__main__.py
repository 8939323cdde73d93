"""`python -m import_export serve|consume|relay|all|migrate`."""

from common.process import main
from import_export.app import SERVICE

if __name__ == "__main__":
    main(SERVICE)
