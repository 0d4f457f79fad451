"""FCS files: header and TEXT (2.0 to 3.2), the events as the instrument wrote them, and files of our own."""
