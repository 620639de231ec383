# What `cmake --install` puts where, and the .deb that `cpack -G DEB` makes of it.
include(GNUInstallDirs)

# Completions and the manual page, which the binary itself has written (src/cli/CMakeLists.txt).
if(NOT CMAKE_CROSSCOMPILING)
  set(pages "${PROJECT_BINARY_DIR}/pages")
  install(FILES "${pages}/moe-tune.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
  install(FILES "${pages}/moe-tune.bash" DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" RENAME moe-tune)
  install(FILES "${pages}/moe-tune.fish" DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d")
  # Below /usr Debian's zsh looks into a folder of another name than everybody's.
  install(CODE "
    set(folder site-functions)
    if(CMAKE_INSTALL_PREFIX STREQUAL \"/usr\" AND EXISTS \"/etc/debian_version\")
      set(folder vendor-completions)
    endif()
    file(INSTALL \"${pages}/_moe-tune\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/zsh/\${folder}\")")
endif()

# Copies to read: the binary carries the search spaces inside it.
install(DIRECTORY schemas search_spaces DESTINATION "${CMAKE_INSTALL_DATADIR}/moe-tune" FILES_MATCHING PATTERN "*.json")
install(FILES README.md DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(FILES results/README.md DESTINATION "${CMAKE_INSTALL_DOCDIR}" RENAME results.md)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "moe-tune <moe-tune@localhost>" CACHE STRING "Maintainer named in packages")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "")
# NVRTC is looked for at run time, and only on a GPU.
set(CPACK_DEBIAN_PACKAGE_SUGGESTS nvidia-cuda-toolkit)
include(CPack)
